//! The real web servers whose access logs are read: nginx and Apache, with the same pages.

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::getuid;
use tempfile::TempDir;

use crate::process::Process;
use crate::tools::tool;
use crate::wait::free_port;

/// `ada` and `ada lovelace`, with the password `pw`.
const PASSWORDS: &str =
    "ada:{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=\nada lovelace:{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=\n";

const NGINX: &str = r#"
daemon off; master_process off; pid DIR/pid; error_log DIR/error.log;
events {}
http {
  log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" "$http_x_forwarded_for" rt=$request_time uct="$upstream_connect_time" urt="$upstream_response_time"';
  access_log DIR/plain.log;
  access_log DIR/timed.log timed;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  server {
    listen 127.0.0.1:PORT; listen [::1]:PORT; root DIR/www;
    location /fail { return 500; }
    location /moved { return 301 /; }
    location /private { auth_basic "x"; auth_basic_user_file DIR/passwords; }
    location /away { proxy_pass http://127.0.0.1:1; }
    location /slow { proxy_pass http://127.0.0.1:UPSTREAM; }
  }
}
"#;

const APACHE: &str = r#"
ServerRoot DIR
ServerName shop.example
PidFile DIR/pid
DefaultRuntimeDir DIR
Mutex file:DIR
Listen 127.0.0.1:PORT
Listen [::1]:PORT
ErrorLog DIR/error.log
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule authn_core_module MODULES/mod_authn_core.so
LoadModule authn_file_module MODULES/mod_authn_file.so
LoadModule authz_user_module MODULES/mod_authz_user.so
LoadModule auth_basic_module MODULES/mod_auth_basic.so
LoadModule alias_module MODULES/mod_alias.so
LoadModule dir_module MODULES/mod_dir.so
LoadModule proxy_module MODULES/mod_proxy.so
LoadModule proxy_http_module MODULES/mod_proxy_http.so
LogFormat "%v:%p %h %l %u %t \"%r\" %>s %B \"%{Referer}i\" \"%{User-Agent}i\"" vhost_combined
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %D" timed
CustomLog DIR/plain.log vhost_combined
CustomLog DIR/timed.log timed
DocumentRoot DIR/www
DirectoryIndex index.html
Redirect 500 /fail
Redirect permanent /moved /
ProxyPass /away http://127.0.0.1:1/
ProxyPass /slow http://127.0.0.1:UPSTREAM/
<Location /private>
  AuthType Basic
  AuthName x
  AuthUserFile DIR/passwords
  Require valid-user
</Location>
"#;

/// A web server on loopback, by both versions of IP. It has `/` and `/private` (with a password), fails on `/fail`, sends
/// `/moved` elsewhere, and fetches `/slow` and `/away` from others, of whom the latter is never there.
#[derive(Debug)]
pub struct WebServer {
    port: u16,
    process: Process,
    // Last, so that the server ends before its folder goes.
    dir: TempDir,
}

impl WebServer {
    /// Starts nginx. `upstream` is the port of what answers `/slow`.
    ///
    /// # Errors
    /// When `setup.sh` could not provide it, or it does not come up; with its log.
    pub fn nginx(upstream: u16) -> Result<Self> {
        Self::start("nginx", NGINX, upstream, |dir, config| {
            let mut nginx = Command::new(tool("NGINX")?);
            nginx.arg("-e").arg(dir.join("error.log")).arg("-p").arg(dir).arg("-c").arg(config);
            Ok(nginx)
        })
    }

    /// Starts Apache.
    ///
    /// # Errors
    /// As [`WebServer::nginx`].
    pub fn apache(upstream: u16) -> Result<Self> {
        let program = tool("APACHE")?;
        let modules = program.parent().context("no folder")?.join("usr/lib/apache2/modules");
        let mut config = APACHE.replace("MODULES", &modules.display().to_string());
        if getuid().is_root() {
            config.push_str("User nobody\nGroup nogroup\n");
        }
        Self::start("apache", &config, upstream, |_, config| {
            let mut apache = Command::new(&program);
            apache.arg("-f").arg(config).arg("-DFOREGROUND");
            Ok(apache)
        })
    }

    fn start(
        name: &str,
        config: &str,
        upstream: u16,
        command: impl FnOnce(&Path, &Path) -> Result<Command>,
    ) -> Result<Self> {
        let dir = TempDir::with_prefix("taffrail-web-")?;
        // Apache's children are somebody else.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
        let www = dir.path().join("www");
        fs::create_dir(&www)?;
        fs::write(www.join("index.html"), "hello\n")?;
        fs::write(www.join("private"), "secret\n")?;
        fs::write(dir.path().join("passwords"), PASSWORDS)?;
        let (port, file) = (free_port()?, dir.path().join("config"));
        let config = config.replace("DIR", &dir.path().display().to_string());
        fs::write(
            &file,
            config.replace("PORT", &port.to_string()).replace("UPSTREAM", &upstream.to_string()),
        )?;
        let mut command = command(dir.path(), &file)?;
        let mut process = Process::start(name, &mut command, &dir.path().join("out"))?;
        // No request, so that its log has only what is asked later.
        process
            .wait_ready(Duration::from_secs(30), || Ok(TcpStream::connect(("127.0.0.1", port)).map(drop)?))?;
        Ok(Self { port, process, dir })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its access log in a usual format: nginx' `combined`, Apache's `vhost_combined`.
    pub fn plain_log(&self) -> PathBuf {
        self.dir.path().join("plain.log")
    }

    /// Its access log with how long requests took.
    pub fn timed_log(&self) -> PathBuf {
        self.dir.path().join("timed.log")
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // Apache's children outlive a kill of their parent.
        let _ = self.process.terminate(Duration::from_secs(10));
    }
}

/// Answers everybody after a while, for as long as the program runs; gives its port.
///
/// # Errors
/// When there is no port.
pub fn slow_upstream(after: Duration) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::sleep(after);
            // Whoever has gone does not want it.
            let _ = answer(&stream);
        }
    });
    Ok(port)
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let _ = stream.read(&mut [0; 4096])?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
}
