//! Tests of classification: the shipped lexicon on made-up messages, and small lexicons for the single mechanisms.
