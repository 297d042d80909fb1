//! Values that are written as one text and are right or wrong by themselves.

mod count;
mod duration;
mod engine;
mod fields;
mod folder;
mod name;
mod network;
mod pattern;
mod query;
mod size;
mod url;

pub use count::Count;
pub use duration::{Interval, show as show_duration};
pub use engine::EngineAddress;
pub use fields::{FieldName, Origin};
pub use folder::FolderGlob;
pub use name::{Glob, HeaderName, HeaderValue, HostName, LabelName, LabelValue, Level, Name, PathText, Text};
pub use network::Network;
pub use pattern::Regex;
pub use query::{MetricName, Sql};
pub use size::{Base2Size, Size};
pub use url::{ProbedUrl, Url};

/// Lets serde read a type from one text, by its `parse(&str) -> Result<Self, String>`, and gives it its schema. An
/// error may have two lines: what is wrong, and what would be right.
macro_rules! from_text {
    ($type:ident, $schema:tt) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                $type::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}
use from_text;
