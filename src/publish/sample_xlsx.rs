//! Workbooks for tests, as a spreadsheet program writes them: shared texts, numbers, dates by number format, hidden sheets.
//! Used by unit and engine tests.

use std::fmt::Write as _;

use flate2::Crc;

/// One cell.
#[derive(Clone, Copy)]
pub enum Value<'v> {
    Text(&'v str),
    Number(f64),
    /// A serial with the format of a date.
    Date(f64),
    Empty,
}

/// A sheet: its name, whether it is hidden, and its rows; row 1 is the first.
pub type Sheet<'v> = (&'v str, bool, Vec<Vec<Value<'v>>>);

pub fn workbook(sheets: &[Sheet<'_>]) -> Vec<u8> {
    const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let (mut texts, mut files) = (Vec::<String>::new(), Vec::<(String, String)>::new());
    let (mut list, mut relations, mut types) = (String::new(), String::new(), String::new());
    for (index, (name, is_hidden, rows)) in sheets.iter().enumerate() {
        let number = index + 1;
        let state = if *is_hidden { " state=\"hidden\"" } else { "" };
        let _ = write!(list, "<sheet name=\"{name}\" sheetId=\"{number}\"{state} r:id=\"rId{number}\"/>");
        let _ = write!(
            relations,
            "<Relationship Id=\"rId{number}\" Type=\"{RELS}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
        );
        let _ = write!(
            types,
            "<Override PartName=\"/xl/worksheets/sheet{number}.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/>"
        );
        let mut body = String::new();
        for (line, row) in rows.iter().enumerate() {
            let _ = write!(body, "<row r=\"{}\">", line + 1);
            for (column, value) in row.iter().enumerate() {
                let place = format!("{}{}", column_name(column), line + 1);
                let _ = match value {
                    Value::Text(text) => {
                        texts.push(escaped(text));
                        write!(body, "<c r=\"{place}\" t=\"s\"><v>{}</v></c>", texts.len() - 1)
                    }
                    Value::Number(number) => write!(body, "<c r=\"{place}\"><v>{number}</v></c>"),
                    Value::Date(days) => write!(body, "<c r=\"{place}\" s=\"1\"><v>{days}</v></c>"),
                    Value::Empty => Ok(()),
                };
            }
            body.push_str("</row>");
        }
        let sheet = format!("{HEAD}<worksheet xmlns=\"{MAIN}\"><sheetData>{body}</sheetData></worksheet>");
        files.push((format!("xl/worksheets/sheet{number}.xml"), sheet));
    }
    let shared: String = texts.iter().map(|text| format!("<si><t xml:space=\"preserve\">{text}</t></si>")).collect();
    files.push(("xl/sharedStrings.xml".to_owned(), format!("{HEAD}<sst xmlns=\"{MAIN}\">{shared}</sst>")));
    let styles = "<cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\" applyNumberFormat=\"1\"/></cellXfs>";
    files.push(("xl/styles.xml".to_owned(), format!("{HEAD}<styleSheet xmlns=\"{MAIN}\">{styles}</styleSheet>")));
    files.push((
        "xl/workbook.xml".to_owned(),
        format!("{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELS}\"><sheets>{list}</sheets></workbook>"),
    ));
    let more = format!(
        "<Relationship Id=\"rIdS\" Type=\"{RELS}/sharedStrings\" Target=\"sharedStrings.xml\"/><Relationship Id=\"rIdT\" Type=\"{RELS}/styles\" Target=\"styles.xml\"/>"
    );
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
    files.push((
        "xl/_rels/workbook.xml.rels".to_owned(),
        format!("{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\">{relations}{more}</Relationships>"),
    ));
    files.push(("_rels/.rels".to_owned(), format!("{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{RELS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>")));
    files.push(("[Content_Types].xml".to_owned(), format!("{HEAD}<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" ContentType=\"application/xml\"/>{types}</Types>")));
    zipped(&files)
}

fn column_name(index: usize) -> String {
    let letter = |number: usize| char::from(b'A' + number as u8);
    if index < 26 { letter(index).to_string() } else { format!("{}{}", letter(index / 26 - 1), letter(index % 26)) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An archive without compression.
fn zipped(files: &[(String, String)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut crc = Crc::new();
        crc.update(content.as_bytes());
        let mut common = Vec::new();
        // version 2.0, no flags, stored, 1 January 1980
        common.extend_from_slice(&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        common.extend_from_slice(&crc.sum().to_le_bytes());
        common.extend_from_slice(&(content.len() as u32).to_le_bytes());
        common.extend_from_slice(&(content.len() as u32).to_le_bytes());
        common.extend_from_slice(&(name.len() as u16).to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        let offset = out.len() as u32;
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&common);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(content.as_bytes());
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 10]); // comment, disk, attributes
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (begin, length, count) = (out.len() as u32, directory.len() as u32, files.len() as u16);
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&begin.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}
