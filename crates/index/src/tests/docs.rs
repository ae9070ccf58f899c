//! The documentation of diagnostics is complete.

/// Every code of the crate, and those of the sources.
#[test]
fn each_code_is_documented_once() {
    let page = include_str!("../../../../docs/diagnostics.md");
    let own = include_str!("../codes.rs").split('"').skip(1).step_by(2);
    let foreign = [
        "PH0101", "PH0102", "PH0103", "PH0104", "PH0105", "PH0111", "PH0112", "PH0201",
    ];
    let codes: Vec<&str> = own.chain(foreign).collect();
    assert!(codes.len() > 30 && codes.iter().all(|code| code.starts_with("PH0")));
    for code in codes {
        let rows = page
            .lines()
            .filter(|line| line.starts_with(&format!("| {code} |")));
        assert_eq!(rows.count(), 1, "{code}");
    }
}
