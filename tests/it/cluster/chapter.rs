//! From the Markdown of the guide to steps.

use std::fs;
use std::path::Path;

/// What an operator types, and then sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// File and line.
    pub(super) place: String,
    pub(super) command: String,
    pub(super) shows: Option<String>,
}

/// All steps of all chapters; these are in the order of their names.
pub(super) fn chapters(directory: &Path) -> Vec<Step> {
    let files = fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| {
        file.file_name().is_some_and(|name| {
            name.to_string_lossy()
                .starts_with(|c: char| c.is_ascii_digit())
        })
    });
    files.sort();
    assert!(!files.is_empty(), "no chapters in {}", directory.display());
    let steps = files.iter().flat_map(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        steps(&name, &fs::read_to_string(file).unwrap())
    });
    steps.collect()
}

fn steps(file: &str, text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut follows = false;
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            // Only empty lines may stand between a command and what it shows.
            follows &= line.is_empty();
            continue;
        };
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .collect();
        let body = body.join("\n");
        match language {
            "sh" => steps.push(Step {
                place: format!("{file}:{}", number + 1),
                command: body,
                shows: None,
            }),
            "text" if follows => {
                if let Some(step) = steps.last_mut() {
                    step.shows = Some(body);
                }
            }
            _ => {}
        }
        follows = language == "sh";
    }
    steps
}

#[test]
fn a_text_right_after_a_command_is_what_it_shows() {
    let text = "# T\n\n```sh\nls\n```\n\n```text\na\nb\n```\n\nThen:\n\n```sh\ntrue\n```\n\nand\n\n```text\nnot that\n```\n";
    let found = steps("1.md", text);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].place, "1.md:3");
    assert_eq!(found[0].shows.as_deref(), Some("a\nb"));
    assert_eq!(
        (found[1].command.as_str(), &found[1].shows),
        ("true", &None)
    );
}
