//! The product page for people. No scripts, no files from elsewhere.

use std::fmt::Write as _;

use super::wire::{Details, Page, Rating, Review, Reviews, Section};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
main{display:grid;grid-template-columns:1fr 2fr;gap:2rem}\
blockquote{margin:0 0 1rem;padding-left:1rem;border-left:3px solid #bbb}\
.error{color:#a00;font-weight:bold}.origin{color:#555;font-size:80%}\
.stars{font-size:140%}dt{font-weight:bold}";

/// The whole document.
pub(super) fn render(page: &Page) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    let title = escape(&page.title);
    // Writing to a String cannot fail; here and below.
    let _ = write!(
        out,
        "<title>{title}</title><style>{STYLE}</style></head>\n<body>\n"
    );
    let _ = writeln!(
        out,
        "<h1>{title}</h1>\n{}\n<main>",
        session(page.user.as_deref())
    );
    column(&mut out, "Book details", &page.details, details);
    column(&mut out, "Book reviews", &page.reviews, reviews);
    let _ = writeln!(
        out,
        "</main>\n<p class=\"origin\">page made in {} ms</p>",
        page.elapsed_ms
    );
    out.push_str("</body></html>\n");
    out
}

fn session(user: Option<&str>) -> String {
    match user {
        Some(user) => format!(
            "<p>Signed in as <b>{}</b>. <a href=\"/logout\">Sign out</a></p>",
            escape(user)
        ),
        None => "<p>Nobody is signed in. <a href=\"/login?user=jason\">Sign in as jason</a></p>"
            .to_owned(),
    }
}

fn column<T>(out: &mut String, title: &str, section: &Section<T>, show: impl Fn(&mut String, &T)) {
    let _ = writeln!(out, "<section><h2>{title}</h2>");
    match section {
        Section::Shown(value) => show(out, value),
        Section::Failed { error, cause } => {
            let (error, cause) = (escape(error), escape(cause));
            let _ = writeln!(out, "<p class=\"error\">{error}</p>");
            let _ = writeln!(out, "<p class=\"origin\">{cause}</p>");
        }
    }
    out.push_str("</section>\n");
}

fn details(out: &mut String, details: &Details) {
    let rows = [
        ("Author", details.author.clone()),
        ("Year", details.year.to_string()),
        ("Type", details.kind.clone()),
        ("Pages", details.pages.to_string()),
        ("Language", details.language.clone()),
    ];
    out.push_str("<dl>");
    for (name, value) in rows {
        let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    let _ = writeln!(
        out,
        "</dl>\n<p class=\"origin\">{}</p>",
        escape(&details.origin.instance)
    );
}

fn reviews(out: &mut String, reviews: &Reviews) {
    for one in &reviews.reviews {
        review(out, one);
    }
    let (version, instance) = (&reviews.origin.version, &reviews.origin.instance);
    let _ = writeln!(
        out,
        "<p class=\"origin\">reviews {}, {}</p>",
        escape(version),
        escape(instance)
    );
}

fn review(out: &mut String, review: &Review) {
    let (reviewer, text) = (escape(&review.reviewer), escape(&review.text));
    let _ = writeln!(out, "<blockquote>{text}<br><small>{reviewer}</small><br>");
    match &review.rating {
        None => {}
        Some(Rating::Stars { stars, color }) => {
            let (stars, color) = (bar(*stars), escape(color));
            let _ = writeln!(
                out,
                "<span class=\"stars\" style=\"color:{color}\">{stars}</span>"
            );
        }
        Some(Rating::Unavailable { error }) => {
            let _ = writeln!(out, "<span class=\"error\">{}</span>", escape(error));
        }
    }
    out.push_str("</blockquote>\n");
}

fn bar(stars: u8) -> String {
    let full = usize::from(stars.min(5));
    "★".repeat(full) + &"☆".repeat(5 - full)
}

/// User names and causes come from outside.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_hostile_text() {
        assert_eq!(bar(4), "★★★★☆");
        assert_eq!(bar(200), "★★★★★");
        assert_eq!(
            escape("<a href='x'>&\""),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"
        );
    }
}
