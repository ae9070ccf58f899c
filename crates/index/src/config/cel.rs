//! Expressions of CEL, as far as Envoy must be able to read them: one that it cannot read makes it
//! refuse the whole listener.
//!
//! ```text
//! either = both ? both : either        sum = factor (+|- factor)*
//! both   = all (|| all)*               factor = single (*|/|% single)*
//! all    = compared (&& compared)*     single = (!|-)* atom (.name[(…)] | [either])*
//! compared = sum (op sum)*             atom = name[(…)] | literal | (either) | [list] | {map}
//! ```

/// Functions that Envoy's CEL has. Those that make texts are off unless its own configuration says
/// otherwise.
const FUNCTIONS: &[&str] = &[
    "all",
    "bool",
    "contains",
    "double",
    "duration",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "has",
    "int",
    "map",
    "matches",
    "size",
    "startsWith",
    "timestamp",
    "type",
    "uint",
];

/// How deep an expression may be nested.
const DEPTH: usize = 64;

pub(super) fn check(expression: &str) -> Result<(), String> {
    let tokens = tokens(expression)?;
    let mut reader = Reader {
        tokens: &tokens,
        depth: 0,
    };
    reader.either()?;
    match reader.tokens.first() {
        None => Ok(()),
        Some(token) => Err(format!(
            "{:?} stands where the expression should end",
            token.text
        )),
    }
}

#[derive(Debug, PartialEq)]
enum Sort {
    Name,
    Literal,
    Sign,
}

#[derive(Debug)]
struct Token<'a> {
    sort: Sort,
    text: &'a str,
}

const SIGNS: &[&str] = &[
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (sort, length) = match first {
            '"' | '\'' => (Sort::Literal, quoted(rest, first)?),
            c if c.is_ascii_digit() => (Sort::Literal, number(rest)),
            c if c.is_ascii_alphabetic() || c == '_' => (Sort::Name, name(rest)),
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Sort::Sign, sign.len()),
                None => return Err(format!("{first:?} has no meaning there")),
            },
        };
        let (token, after) = rest.split_at(length);
        tokens.push(Token { sort, text: token });
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn name(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// `1`, `1.5`, `0x1f`, `1u`, `1e-3`
fn number(text: &str) -> usize {
    let mut length = 0;
    let mut before = ' ';
    for c in text.chars() {
        let exponent = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
        if !c.is_ascii_alphanumeric() && c != '.' && !exponent {
            break;
        }
        before = c;
        length += c.len_utf8();
    }
    length
}

fn quoted(text: &str, quote: char) -> Result<usize, String> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Ok(at + 1),
            _ => {}
        }
    }
    Err("a text has no closing quote".to_owned())
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    depth: usize,
}

impl<'t> Reader<'t> {
    fn either(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("it is nested more than {DEPTH} deep"));
        }
        self.chain()?;
        if self.take("?") {
            self.chain()?;
            self.expect(":")?;
            self.either()?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Operators between operands; which bind closer does not matter for whether it can be read.
    fn chain(&mut self) -> Result<(), String> {
        const BETWEEN: &[&str] = &[
            "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%",
        ];
        loop {
            self.single()?;
            let is_in = self.tokens.first().is_some_and(|token| token.text == "in");
            let operator = BETWEEN.iter().any(|sign| self.is(sign));
            if !operator && !is_in {
                return Ok(());
            }
            self.tokens = &self.tokens[1..];
        }
    }

    fn single(&mut self) -> Result<(), String> {
        while self.take("!") || self.take("-") {}
        self.atom()?;
        loop {
            if self.take(".") {
                let name = self.name()?;
                if self.take("(") {
                    known(name)?;
                    self.items(")", false)?;
                }
            } else if self.take("[") {
                self.either()?;
                self.expect("]")?;
            } else {
                return Ok(());
            }
        }
    }

    fn atom(&mut self) -> Result<(), String> {
        if self.take("(") {
            self.either()?;
            return self.expect(")");
        }
        if self.take("[") {
            return self.items("]", false);
        }
        if self.take("{") {
            return self.items("}", true);
        }
        let Some(token) = self.tokens.first() else {
            return Err("it ends where a value should be".to_owned());
        };
        match token.sort {
            Sort::Sign => Err(format!("{:?} stands where a value should be", token.text)),
            Sort::Literal => {
                self.tokens = &self.tokens[1..];
                Ok(())
            }
            Sort::Name => {
                let name = self.name()?;
                match self.take("(") {
                    true => {
                        known(name)?;
                        self.items(")", false)
                    }
                    false => Ok(()),
                }
            }
        }
    }

    /// What stands between commas; pairs, if it is a map.
    fn items(&mut self, end: &str, pairs: bool) -> Result<(), String> {
        if self.take(end) {
            return Ok(());
        }
        loop {
            self.either()?;
            if pairs {
                self.expect(":")?;
                self.either()?;
            }
            if !self.take(",") {
                return self.expect(end);
            }
        }
    }

    fn name(&mut self) -> Result<&'t str, String> {
        match self.tokens.split_first() {
            Some((token, rest)) if token.sort == Sort::Name => {
                self.tokens = rest;
                Ok(token.text)
            }
            _ => Err("a name is missing behind a dot".to_owned()),
        }
    }

    fn is(&self, sign: &str) -> bool {
        let first = self.tokens.first();
        first.is_some_and(|token| token.sort == Sort::Sign && token.text == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let there = self.is(sign);
        if there {
            self.tokens = &self.tokens[1..];
        }
        there
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(format!("{sign:?} is missing")),
        }
    }
}

fn known(function: &str) -> Result<(), String> {
    match FUNCTIONS.contains(&function) {
        true => Ok(()),
        false => Err(format!("Envoy's CEL has no function {function:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_envoy_reads_is_taken() {
        for good in [
            "response.code >= 400",
            "true",
            "(connection.mtls && request.headers['x-log'] == 'true') || request.url_path.contains(\"v1\")",
            "!has(request.headers['a']) ? size([1, 2]) > 1u : {'a': 1}['a'] == -1",
            "response.code in [500, 503] && request.duration > duration('1s')",
            "request.headers.exists(h, h.startsWith('x-'))",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_envoy_cannot_read_is_told() {
        for bad in [
            "",
            "response.code >=",
            "a b",
            "(a",
            "'a",
            "a ? b",
            "nosuch(a)",
            "a.b.nosuch()",
            "a..b",
            "a @ b",
            "[1, 2",
            "1 +",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
