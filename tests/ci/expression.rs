//! The part of GitHub's expression language that this repository uses: names, strings, `==`, `!=`, `&&`, `||`, `hashFiles`.
//!
//! <https://docs.github.com/actions/reference/evaluate-expressions-in-workflows-and-actions>

use serde_json::{Map, Value, json};

/// The values of names.
pub struct Contexts {
    inputs: Map<String, Value>,
    secrets: Value,
    /// The outputs of finished steps, by `id`.
    pub steps: Map<String, Value>,
}

impl Contexts {
    /// Returns the contexts before the first step.
    pub fn new(inputs: Map<String, Value>, secrets: Value) -> Self {
        Self { inputs, secrets, steps: Map::new() }
    }

    /// Returns the value of a name. An undeclared input is an error; a missing output or secret is empty.
    fn look_up(&self, name: &str) -> Value {
        match name.split('.').collect::<Vec<_>>()[..] {
            ["inputs", name] => {
                self.inputs.get(name).unwrap_or_else(|| panic!("the input {name} is not declared")).clone()
            }
            ["secrets", name] => self.secrets.get(name).cloned().unwrap_or_default(),
            ["steps", step, "outputs", name] => {
                let step = self.steps.get(step).unwrap_or_else(|| panic!("no step {step} has run"));
                step["outputs"].get(name).cloned().unwrap_or_default()
            }
            ["github", "actor"] => json!("alice"),
            ["github", "ref_name"] => json!("main"),
            ["github", "run_id"] => json!(17),
            ["github", "run_attempt"] => json!(1),
            ["github", "token"] => json!("the-token-of-the-job"),
            ["runner", "os"] => json!("Linux"),
            _ => panic!("unknown name `{name}`"),
        }
    }
}

/// Evaluates an expression.
pub fn evaluate(expression: &str, contexts: &Contexts) -> Value {
    let expression = expression.trim();
    if let Some((left, right)) = expression.split_once(" || ") {
        let left = evaluate(left, contexts);
        return if is_true(&left) { left } else { evaluate(right, contexts) };
    }
    if let Some((left, right)) = expression.split_once(" && ") {
        let left = evaluate(left, contexts);
        return if is_true(&left) { evaluate(right, contexts) } else { left };
    }
    for (operator, wanted) in [(" == ", true), (" != ", false)] {
        if let Some((left, right)) = expression.split_once(operator) {
            let equal = text(&evaluate(left, contexts)) == text(&evaluate(right, contexts));
            return (equal == wanted).into();
        }
    }
    if expression.starts_with("hashFiles('") && expression.ends_with("')") {
        return json!("hash");
    }
    if let Ok(number) = expression.parse::<u64>() {
        return number.into();
    }
    match expression.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(literal) => literal.into(),
        None => contexts.look_up(expression),
    }
}

/// Returns whether a value is truthy.
pub fn is_true(value: &Value) -> bool {
    !matches!(text(value).as_str(), "" | "false" | "0") || *value == "false" || *value == "0"
}

/// Evaluates the expressions in a template.
pub fn fill(template: &str, contexts: &Contexts) -> String {
    let mut parts = template.split("${{");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").unwrap_or_else(|| panic!("`{part}` has no closing braces"));
        filled += &text(&evaluate(expression, contexts));
        filled += rest;
    }
    filled
}

/// Formats a value as it is inserted into a template.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
