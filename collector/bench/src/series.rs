//! The text of a target's page: a web service's requests, durations and queues, of any number of series.
//!
//! One *block* is what one path of a service has: counters by code, a histogram, gauges; 25 series of three to six
//! labels. The texts of blocks are made once; what changes are the values and, of some, the pod.

use std::fmt::Write;

/// Series of one block.
pub const BLOCK: usize = 25;

/// With churn, one block in so many gets a new pod from page to page.
const GROUPS: usize = 100;

const CODES: [&str; 5] = ["200", "302", "404", "500", "503"];
const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
const ZONES: [&str; 2] = ["eu-west-1a", "eu-west-1b"];
const QUEUES: [&str; 3] = ["mail", "invoices", "thumbnails"];

/// What all series of a block have in common.
#[derive(Debug)]
struct Block {
    service: String,
    path: String,
    method: &'static str,
    /// Grows with every new pod, and stands in its name.
    pod: String,
}

/// A target's series and their values.
#[derive(Debug)]
pub struct Series {
    blocks: Vec<Block>,
    churn: bool,
    pages: u64,
}

impl Series {
    /// So many series, rounded down to whole blocks.
    pub fn new(count: usize, churn: bool) -> Self {
        let blocks = (0..count / BLOCK).map(|n| Block {
            service: format!("shop-{:02}", n % 40),
            path: format!("/api/v1/{}/{}", ["orders", "carts", "users", "items"][n % 4], n / 40),
            method: ["GET", "POST", "PUT"][n % 3],
            pod: pod(n % GROUPS, 0),
        });
        Series { blocks: blocks.collect(), churn, pages: 0 }
    }

    /// Writes the next page, in which every value differs from the last one's.
    pub fn page(&mut self, out: &mut String) {
        if self.churn && self.pages > 0 {
            let group = self.pages as usize % GROUPS;
            for block in self.blocks.iter_mut().skip(group).step_by(GROUPS) {
                block.pod = pod(group, self.pages);
            }
        }
        self.pages += 1;
        out.clear();
        // Writing to a string cannot fail.
        let _ = self.requests(out);
        let _ = self.durations(out);
        let _ = self.gauges(out);
    }

    /// A count of this block on this page.
    fn count(&self, block: usize) -> u64 {
        (block as u64 * 7919) % 10_007 + self.pages * 13 + 1
    }

    /// A measurement of this block on this page, with as many digits as measurements have.
    fn measure(&self, block: usize) -> f64 {
        self.count(block) as f64 * 0.001_37 / 3.0
    }

    fn requests(&self, out: &mut String) -> std::fmt::Result {
        out.push_str(
            "# HELP http_requests_total Requests answered, by code.\n# TYPE http_requests_total counter\n",
        );
        for (n, Block { service, path, method, pod }) in self.blocks.iter().enumerate() {
            for (at, code) in CODES.iter().enumerate() {
                let value = self.count(n) * (5 - at as u64);
                writeln!(
                    out,
                    "http_requests_total{{service=\"{service}\",path=\"{path}\",method=\"{method}\",code=\"{code}\",pod=\"{pod}\"}} {value}"
                )?;
            }
        }
        out.push_str(
            "# HELP http_response_size_bytes_total Bytes answered.\n# TYPE http_response_size_bytes_total counter\n",
        );
        for (n, Block { service, path, method, pod }) in self.blocks.iter().enumerate() {
            for (at, zone) in ZONES.iter().enumerate() {
                let value = self.count(n) * (4321 + at as u64);
                writeln!(
                    out,
                    "http_response_size_bytes_total{{service=\"{service}\",path=\"{path}\",method=\"{method}\",proto=\"h2\",zone=\"{zone}\",pod=\"{pod}\"}} {value}"
                )?;
            }
        }
        Ok(())
    }

    fn durations(&self, out: &mut String) -> std::fmt::Result {
        const NAME: &str = "http_request_duration_seconds";
        writeln!(out, "# HELP {NAME} Time until the answer was sent.\n# TYPE {NAME} histogram")?;
        for (n, Block { service, path, method, pod }) in self.blocks.iter().enumerate() {
            let labels = format!("service=\"{service}\",path=\"{path}\",method=\"{method}\",pod=\"{pod}\"");
            let count = self.count(n);
            for (at, bound) in BOUNDS.iter().enumerate() {
                let value = count * (at as u64 + 1);
                writeln!(out, "{NAME}_bucket{{{labels},le=\"{bound}\"}} {value}")?;
            }
            writeln!(out, "{NAME}_sum{{{labels}}} {}", self.measure(n) * 31.0)?;
            writeln!(out, "{NAME}_count{{{labels}}} {}", count * BOUNDS.len() as u64)?;
        }
        Ok(())
    }

    fn gauges(&self, out: &mut String) -> std::fmt::Result {
        out.push_str(
            "# HELP http_requests_in_flight Requests under way.\n# TYPE http_requests_in_flight gauge\n",
        );
        for (n, Block { service, path, pod, .. }) in self.blocks.iter().enumerate() {
            let value = self.count(n) % 97;
            writeln!(
                out,
                "http_requests_in_flight{{service=\"{service}\",path=\"{path}\",pod=\"{pod}\"}} {value}"
            )?;
        }
        out.push_str("# HELP queue_wait_seconds Age of the oldest job.\n# TYPE queue_wait_seconds gauge\n");
        for (n, Block { service, path, pod, .. }) in self.blocks.iter().enumerate() {
            for (at, queue) in QUEUES.iter().enumerate() {
                let value = self.measure(n) * (at + 1) as f64;
                writeln!(
                    out,
                    "queue_wait_seconds{{service=\"{service}\",path=\"{path}\",queue=\"{queue}\",pod=\"{pod}\"}} {value}"
                )?;
            }
        }
        Ok(())
    }
}

/// The name of a group's pod that was started on this page.
fn pod(group: usize, page: u64) -> String {
    let mixed =
        (group as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ page.wrapping_mul(0xff51_afd7_ed55_8ccd);
    format!("shop-{:08x}-{:05x}", (mixed >> 32) as u32, mixed & 0xf_ffff)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn values(page: &str) -> HashMap<&str, &str> {
        page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' ')).collect()
    }

    #[test]
    fn a_page_has_the_series_asked_for_and_each_once() {
        let mut page = String::new();
        Series::new(10_000, false).page(&mut page);
        assert_eq!(values(&page).len(), 10_000);
        assert_eq!(page.lines().filter(|line| !line.starts_with('#')).count(), 10_000);
    }

    #[test]
    fn every_value_changes_and_one_series_in_a_hundred_is_new() {
        let (mut series, mut first, mut second) = (Series::new(2_500, true), String::new(), String::new());
        series.page(&mut first);
        for _ in 0..105 {
            std::mem::swap(&mut first, &mut second);
            series.page(&mut second);
            if first.is_empty() {
                continue;
            }
            let (old, new) = (values(&first), values(&second));
            let known: Vec<_> = new.iter().filter(|(name, _)| old.contains_key(*name)).collect();
            assert_eq!(new.len() - known.len(), 25);
            assert!(known.iter().all(|(name, value)| old[*name] != **value));
        }
    }
}
