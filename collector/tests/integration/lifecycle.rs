//! The rule in the guide that ages objects of an S3 bucket: S3's own client takes it, and a bucket has it then.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use taffrail_tests::{Bucket, repo_root, tool};

/// Reads a lifecycle, gives it to the bucket at the URL, and prints what the bucket has.
const APPLY: &str = r#"
import json, sys, boto3
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
s3.put_bucket_lifecycle_configuration(Bucket=sys.argv[2], LifecycleConfiguration=json.load(sys.stdin))
print(json.dumps({"Rules": s3.get_bucket_lifecycle_configuration(Bucket=sys.argv[2])["Rules"]}))
"#;

fn apply(bucket: &Bucket, lifecycle: &str) -> Option<Value> {
    let mut python = Command::new(tool("PYTHON").unwrap());
    python.args(["-c", APPLY, &bucket.url(), Bucket::NAME]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.stderr(Stdio::null()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(lifecycle.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_guide_s_rule_of_s3_is_taken_and_says_what_the_text_says() {
    let guide = fs::read_to_string(repo_root().join("docs/guides/archive.md")).unwrap();
    let (before, rest) = guide.split_once("\nS3: `aws s3api put-bucket-lifecycle-configuration").unwrap();
    assert!(
        before.contains("90 days in the standard tier, then a cheaper one, deleted after a\nyear"),
        "{before}"
    );
    let block = rest.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let bucket = Bucket::start().unwrap();
    let kept = apply(&bucket, block).expect("it is not taken");
    assert_eq!(kept, serde_json::from_str::<Value>(block).unwrap());
    let rule = &kept["Rules"][0];
    assert_eq!((&rule["Transitions"][0]["Days"], &rule["Expiration"]["Days"]), (&json!(90), &json!(365)));
    assert!(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"].is_u64(), "{rule}");
    // The client looks at words, the store at the order of days.
    assert!(apply(&bucket, &block.replace("\"Days\": 90", "\"After\": 90")).is_none());
}
