//! Lists that went wrong: nothing past the guards reaches the shop.

use super::{OPEN, Shelf, rows};

/// A list that went wrong, the exit code of its run, and whether it may change anything.
type Bad = (&'static str, Vec<u8>, i32);

fn bad() -> Vec<Bad> {
    let t = |text: &str| text.as_bytes().to_vec();
    let whole = |line: &dyn Fn(usize) -> String| {
        let rows: Vec<String> = (0..20).map(line).collect();
        format!("sku,quantity,price\n{}\n", rows.join("\n")).into_bytes()
    };
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let refused = 1;
    let guarded = 6;
    vec![
        ("empty", t(""), refused),
        ("blank lines", t("\n\r\n\n"), refused),
        ("only a byte order mark", t("\u{feff}"), refused),
        ("header only", t("sku,quantity,price\n"), guarded),
        ("no header", t("S00,1,1.00\nS01,2,1.00\n"), refused),
        ("half a header", t("sku,quan"), refused),
        ("cut in a row", t("sku,quantity,price\nS00,1,1.00\nS01,2"), refused),
        ("cut in a quote", t("sku,quantity,price,title\nS00,1,1.00,\"x\"\nS01,2,1.00,\"y"), refused),
        ("doubled", t("sku,quantity\nS00,1\nS01,2\nS00,1\nS01,2\n"), refused),
        ("doubled with its header", t("sku,quantity\nS00,1\nsku,quantity\nS00,1\n"), refused),
        ("another delimiter", t("sku;quantity\nS00;1\n"), refused),
        ("Excel's first line", t("sep=;\nsku;quantity\n"), refused),
        ("a column twice", t("sku,quantity,price,price\nS00,1,1,2\n"), refused),
        ("a web page", t("<!DOCTYPE html>\n<html>\n"), refused),
        ("UTF-16", utf16("\u{feff}sku,quantity\nS00,1\n"), refused),
        ("holes", t("sku,quantity\nS00,1\nS01\0\0\0"), refused),
        ("a workbook", t("PK\u{3}\u{4}rest"), refused),
        ("compressed", b"\x1f\x8b\x08\x00".to_vec(), refused),
        ("wrong encoding", b"sku,quantity\nS00,1\n\xf6,1\n\xe4,1\n\xfc,1\n".to_vec(), refused),
        ("a header of another encoding", b"sku,quantity,gr\xf6\xdfe\n".to_vec(), refused),
        ("another currency", t("sku,quantity,price,currency\nS00,1,1.00,GBP\n"), refused),
        ("text after a quote", t("sku,quantity,title\nS00,1,\"5\" tall\"\n"), refused),
        ("decimal commas", whole(&|n| format!("S{n:02},5,\"1,00\"")), guarded),
        ("thousands", whole(&|n| format!("S{n:02},5,\"1.234,56\"")), guarded),
        ("signs of money", whole(&|n| format!("S{n:02},5,€1")), guarded),
        ("odd quantities", whole(&|n| format!("S{n:02},5.0,1.00")), guarded),
        ("negative quantities", whole(&|n| format!("S{n:02},-1,1.00")), guarded),
        ("prices x100", whole(&|n| format!("S{n:02},5,100")), guarded),
        ("prices of a cent", whole(&|n| format!("S{n:02},5,0.01")), guarded),
        ("all zero", whole(&|n| format!("S{n:02},0,1.00")), guarded),
        ("all doubled in number", whole(&|n| format!("S{n:02},10,1.00")), guarded),
        ("keys of another shop", whole(&|n| format!("X{n:02},5,1.00")), guarded),
        ("shuffled columns", t("price,sku,quantity\n1.00,S00,5\n"), guarded),
    ]
}

#[test]
fn no_list_that_went_wrong_gets_past_the_guards() {
    let keys: Vec<String> = (0..20).map(|n| format!("S{n:02}")).collect();
    let all: Vec<(&str, u32, u32)> = keys.iter().map(|key| (key.as_str(), 5, 100)).collect();
    let shelf = Shelf::of(&all, &[]);
    shelf.job_file("cm", "absent = \"remove\"", "");
    let mut wrong = Vec::new();
    for (name, bytes, code) in bad() {
        std::fs::write(shelf.0.dir().join("cm.csv"), &bytes).expect("a file");
        let ran = shelf.0.run("-o json job run cm-sync");
        if ran.code != code {
            wrong.push(format!("{name}: {} {} {}", ran.code, ran.stdout, ran.stderr));
        }
        assert_eq!(shelf.cm_effects().len(), 0, "{name}: {}", ran.stdout);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A list that was cut in its last cell, where the price 12.50 reads as 1.
    shelf.job_file("cm", "", OPEN);
    shelf.list("cm", "sku,quantity,price\nS00,5,1.00\nS01,2,1");
    let run = shelf.sync("cm", 3);
    assert_eq!((shelf.cm_effects().len(), run["counts"]["rejected_rows"].as_i64()), (0, Some(1)), "{run}");
    assert!(run["message"].as_str().unwrap().contains("may-lack-newline"), "{run}");
    // A single row that cannot be read harms neither itself nor the others.
    shelf.job_file("cm", "", "");
    shelf.list("cm", "sku,quantity,price\nS00,4,1.00\nS01,four,1.00\nS02,5,1.10\n");
    let run = shelf.sync("cm", 3);
    let changed: Vec<_> =
        shelf.cm().into_iter().filter(|(_, copies, cents)| (*copies, *cents) != (5, 100)).collect();
    assert_eq!(changed, rows(&[("S00", 4, 100), ("S02", 5, 110)]), "{run}");
}

#[test]
fn yesterdays_list_is_refused() {
    let shelf = Shelf::of(&[("A", 5, 100)], &[]);
    shelf.list("cm", "sku,quantity,price\nA,3,1.00\n");
    let file = std::fs::File::options().append(true).open(shelf.0.dir().join("cm.csv")).expect("a file");
    let yesterday = shelf.0.sandbox.now() - chrono::TimeDelta::hours(25);
    file.set_modified(yesterday.into()).expect("a time");
    let run = shelf.sync("cm", 1);
    assert!(run["message"].as_str().unwrap().contains("old, and may be"), "{run}");
    assert_eq!(shelf.cm_effects().len(), 0);
}
