//! Takes the rows out of `{"article":[{...},{...}]}` while it arrives, one at a time: a million articles are a
//! gigabyte that never stands in memory.
//!
//! A parser of whole documents would want all of it first, and one that pushes values would have to be fed from
//! another thread. Only brackets and strings are looked at here; each row is then read by the parser for everything.

/// A document as far as it has arrived.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The brackets that are open.
    open: Vec<u8>,
    string: Option<InString>,
    /// The last string at the top: the name of the member that follows.
    name: Vec<u8>,
    row: Option<Row>,
    list: List,
    closed: bool,
}

#[derive(Debug, Default)]
struct InString {
    escaped: bool,
}

/// A row that has begun, and the depth at which it will end.
#[derive(Debug)]
struct Row {
    text: Vec<u8>,
    depth: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum List {
    #[default]
    NotYet,
    Open,
    Closed,
}

/// The most that one row may have; an article has 700 bytes.
const LONGEST_ROW: usize = 1 << 20;
const DEEPEST: usize = 64;
const NAME: &[u8] = b"article";

impl Rows {
    /// Takes the next part in and hands out every row that it completes. The error says why it is no such document;
    /// never its contents.
    pub fn push(&mut self, part: &[u8], take: &mut impl FnMut(&[u8])) -> Result<(), String> {
        part.iter().try_for_each(|&byte| self.byte(byte, take))
    }

    /// Says whether the document was whole.
    pub fn finish(&self) -> Result<(), String> {
        match (self.closed, &self.list) {
            (false, _) => Err("it breaks off".to_owned()),
            (true, List::NotYet) => Err("the list of articles is missing in it".to_owned()),
            (true, _) => Ok(()),
        }
    }

    fn byte(&mut self, byte: u8, take: &mut impl FnMut(&[u8])) -> Result<(), String> {
        if let Some(row) = &mut self.row {
            if row.text.len() == LONGEST_ROW {
                return Err("an article in it is larger than a mebibyte".to_owned());
            }
            row.text.push(byte);
        }
        if let Some(string) = &mut self.string {
            match byte {
                _ if string.escaped => string.escaped = false,
                b'\\' => string.escaped = true,
                b'"' => self.string = None,
                _ if self.open.len() == 1 && self.name.len() < NAME.len() + 1 => self.name.push(byte),
                _ => {}
            }
            return Ok(());
        }
        match byte {
            b'"' => self.begin_string(),
            b'{' | b'[' => self.open(byte),
            b'}' | b']' => self.close(byte, take),
            b' ' | b'\t' | b'\n' | b'\r' => Ok(()),
            b',' if !self.open.is_empty() => Ok(()),
            _ if self.open.is_empty() => Err("it is no JSON object".to_owned()),
            _ if self.between_rows() => Err("something that is no article stands in the list".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether what comes next in the list is another row.
    fn between_rows(&self) -> bool {
        self.list == List::Open && self.row.is_none()
    }

    fn begin_string(&mut self) -> Result<(), String> {
        match self.open.len() {
            0 => return Err("it is no JSON object".to_owned()),
            1 => self.name.clear(),
            _ if self.between_rows() => {
                return Err("something that is no article stands in the list".to_owned());
            }
            _ => {}
        }
        self.string = Some(InString::default());
        Ok(())
    }

    fn open(&mut self, bracket: u8) -> Result<(), String> {
        let depth = self.open.len();
        match (depth, bracket) {
            (0, _) if bracket == b'[' || self.closed => return Err("it is no JSON object".to_owned()),
            (DEEPEST.., _) => return Err("it is nested too deeply".to_owned()),
            (1, _) if self.name == NAME => {
                if self.list != List::NotYet {
                    return Err("the list of articles stands in it twice".to_owned());
                }
                // One article may stand there without a list around it.
                if bracket == b'[' {
                    self.list = List::Open;
                } else {
                    self.list = List::Closed;
                    self.row = Some(Row { text: vec![bracket], depth });
                }
            }
            (2, b'[') if self.between_rows() => {
                return Err("something that is no article stands in the list".to_owned());
            }
            (2, _) if self.between_rows() => self.row = Some(Row { text: vec![bracket], depth }),
            _ => {}
        }
        self.open.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: u8, take: &mut impl FnMut(&[u8])) -> Result<(), String> {
        let pair = if bracket == b'}' { b'{' } else { b'[' };
        if self.open.pop() != Some(pair) {
            return Err("its brackets do not match".to_owned());
        }
        let depth = self.open.len();
        if let Some(row) = self.row.take_if(|row| row.depth == depth) {
            take(&row.text);
        } else if depth == 1 && self.list == List::Open {
            self.list = List::Closed;
        }
        self.closed = depth == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The rows of a document that arrives in parts of so many bytes.
    fn rows(document: &[u8], size: usize) -> Result<Vec<String>, String> {
        let (mut rows, mut found) = (Rows::default(), Vec::new());
        for part in document.chunks(size) {
            rows.push(part, &mut |row| found.push(String::from_utf8(row.to_vec()).unwrap()))?;
        }
        rows.finish().map(|()| found)
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            "[a-z\\[\\]{}\"\\\\,:é]{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
                proptest::collection::btree_map("[a-z\"{\\]]{0,8}|article", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn any_row() -> impl Strategy<Value = Value> {
        proptest::collection::btree_map("[a-zA-Z]{1,8}", any_value(), 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn every_row_comes_out_as_it_went_in_however_it_arrives(
            articles in proptest::collection::vec(any_row(), 0..5), other in any_value(), size in 1..40_usize
        ) {
            let expected: Vec<String> = articles.iter().map(Value::to_string).collect();
            for document in [
                json!({"links": other, "article": articles}),
                json!({"article": articles, "more": other}),
            ] {
                prop_assert_eq!(&rows(document.to_string().as_bytes(), size), &Ok(expected.clone()));
                let pretty = serde_json::to_string_pretty(&document).unwrap();
                prop_assert_eq!(rows(pretty.as_bytes(), size).unwrap().len(), expected.len());
            }
        }

        #[test]
        fn a_document_that_breaks_off_is_never_whole(articles in proptest::collection::vec(any_row(), 0..4), cut in 0.0..1.0_f64) {
            let document = json!({"article": articles}).to_string();
            let cut = (document.len() as f64 * cut) as usize;
            prop_assert!(rows(&document.as_bytes()[..cut], 7).is_err());
        }

        #[test]
        fn whatever_arrives_nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[\\[\\]{}\"\\\\,: artcle]{0,40}") {
            let _ = Rows::default().push(&bytes, &mut |_| {});
            let _ = Rows::default().push(format!("{{\"article\":{text}").as_bytes(), &mut |_| {});
        }
    }

    #[test]
    fn nothing_but_a_document_with_articles_is_one() {
        let wrong = |document: &str| rows(document.as_bytes(), 5).unwrap_err();
        assert!(wrong("").contains("breaks off"));
        assert!(wrong("{}").contains("missing"));
        assert!(wrong("[]").contains("no JSON object"));
        assert!(wrong("<html></html>").contains("no JSON object"));
        assert!(wrong(r#"{"article":[1]}"#).contains("no article"));
        assert!(wrong(r#"{"article":["a"]}"#).contains("no article"));
        assert!(wrong(r#"{"article":[[]]}"#).contains("no article"));
        assert!(wrong(r#"{"article":[{}}}"#).contains("do not match"));
        assert!(wrong(r#"{"article":[],"article":[]}"#).contains("twice"));
        assert!(wrong(r#"{"article":[]}{}"#).contains("no JSON object"));
        assert_eq!(rows(br#"{"article":{"a":1}}"#, 3), Ok(vec![r#"{"a":1}"#.to_owned()]));
    }
}
