// Runs the ClickHouse that the chDB library carries as a process of its own.
//
//   launcher LIBRARY ARGUMENT...             lives until its standard input closes, or SIGTERM
//   launcher --detached LIBRARY ARGUMENT...  lives until SIGTERM
//
// The library serves while it reads its standard input and ends cleanly at the end of it. Here that input is always a
// pipe of our own, closed when it is time to go. Owned by a parent, our real input is a pipe the parent holds: when the
// parent goes, however it goes, the server goes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int outer, writer;
static sigset_t signals;
static volatile sig_atomic_t asked;

static void end(void) {
    if (!__atomic_test_and_set((void *)&asked, __ATOMIC_SEQ_CST)) close(writer);
}

static void *end_on_signal(void *unused) {
    int which;
    sigwait(&signals, &which);
    end();
    return unused;
}

static void *end_with_parent(void *unused) {
    char discarded[256];
    while (read(outer, discarded, sizeof discarded) > 0) {}
    end();
    return unused;
}

int main(int argc, char **argv) {
    int detached = argc > 1 && strcmp(argv[1], "--detached") == 0, inner[2];
    argc -= detached, argv += detached;
    if (argc < 2) return fprintf(stderr, "usage: launcher [--detached] LIBRARY ARGUMENT...\n"), 2;

    if ((outer = dup(0)) < 0 || pipe(inner) != 0 || dup2(inner[0], 0) != 0) return perror("pipe"), 1;
    close(inner[0]);
    writer = inner[1];

    // Blocked before the library starts its threads, so that a signal reaches only the thread that waits for it.
    pthread_t thread;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (pthread_create(&thread, NULL, end_on_signal, NULL) != 0) return perror("pthread_create"), 1;
    if (!detached && pthread_create(&thread, NULL, end_with_parent, NULL) != 0) return perror("pthread_create"), 1;

    void *library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    void *(*run)(int, char **) = (void *(*)(int, char **))dlsym(library, "chdb_query_cmdline");
    if (!run) return fprintf(stderr, "%s\n", dlerror()), 1;
    argv[1] = "clickhouse";
    run(argc - 1, argv + 1);
    // What it returns says nothing of success (its low bits are those of an address). It ended well if it was told to
    // end; otherwise it failed to start and has said why.
    return asked ? 0 : 1;
}
