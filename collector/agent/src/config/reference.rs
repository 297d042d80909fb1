//! The reference of `taffrail.yml`, made from the types that read it: a JSON schema, and a page.

/// The JSON schema of `taffrail.yml`.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(super::written::Written).to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), "taffrail.yml".into());
        root.remove("description");
    }
    schema
}
