//! GitHub's expressions, as far as this repository's workflows have them: names, texts, `==`, `!=`, `&&`, `||`, `hashFiles`.

use serde_json::{Map, Value, json};

/// What names mean.
pub struct Contexts {
    inputs: Map<String, Value>,
    secrets: Value,
    /// The outputs of the steps that have been run, by their `id`.
    pub steps: Map<String, Value>,
}

impl Contexts {
    /// The contexts before the first step.
    pub fn new(inputs: Map<String, Value>, secrets: Value) -> Self {
        Self { inputs, secrets, steps: Map::new() }
    }

    /// Returns what a name means. An input must be declared; an output or a secret that there is not is empty.
    fn look_up(&self, name: &str) -> Value {
        match name.split('.').collect::<Vec<_>>()[..] {
            ["inputs", name] => self.inputs.get(name).unwrap_or_else(|| panic!("there is no input {name}")).clone(),
            ["secrets", name] => self.secrets.get(name).cloned().unwrap_or_default(),
            ["steps", step, "outputs", name] => {
                let step = self.steps.get(step).unwrap_or_else(|| panic!("there is no step {step} before"));
                step["outputs"].get(name).cloned().unwrap_or_default()
            }
            ["github", "actor"] => json!("alice"),
            ["github", "token"] => json!("the-token-of-the-job"),
            ["runner", "os"] => json!("Linux"),
            _ => panic!("`{name}` is no name that is known here"),
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

/// Tells whether a value counts as true.
pub fn is_true(value: &Value) -> bool {
    !matches!(text(value).as_str(), "" | "false" | "0") || *value == "false" || *value == "0"
}

/// Returns a text with its expressions evaluated.
pub fn fill(template: &str, contexts: &Contexts) -> String {
    let mut parts = template.split("${{");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").unwrap_or_else(|| panic!("`{part}` has no end"));
        filled += &text(&evaluate(expression, contexts));
        filled += rest;
    }
    filled
}

/// Returns a value as the text that it is inserted as.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
