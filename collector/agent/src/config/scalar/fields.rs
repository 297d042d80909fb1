//! Names of fields that stages take out of lines.

/// The name of a field that a stage makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldName(pub String);

impl FieldName {
    /// Refuses an empty text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the field has no name\nwrite NAME: WHERE".to_owned());
        }
        Ok(FieldName(text.to_owned()))
    }
}

super::from_text!(FieldName, { "type": "string" });

/// Where a value comes from: any text. An empty one often means the field of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin(pub String);

impl Origin {
    /// Takes all.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Origin(text.to_owned()))
    }
}

super::from_text!(Origin, { "type": ["string", "number", "null"] });
