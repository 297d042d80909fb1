//! What the double says when it is a server as many are.

use std::collections::HashMap;

use zbus::Variant;

use super::double::{World, unit};

/// A small server: some units of every kind and in every state.
pub fn server() -> World {
    let manager = [
        ("Version", Variant::from("257.9-1~deb13u1")),
        ("Virtualization", Variant::from("kvm")),
        ("SystemState", Variant::from("degraded")),
        ("UnitsLoadTimestampMonotonic", Variant::from(17_u64)),
    ];
    let service = |name, active, file_state| {
        unit(name, active, file_state)
            .with("Type", "notify")
            .with("NRestarts", 0_u32)
            .with("TasksCurrent", 4_u64)
            .with("TasksMax", 4915_u64)
            .with("ActiveEnterTimestamp", 1_795_225_326_500_000_u64)
    };
    let socket = |name, accept: bool| {
        unit(name, "active", "enabled")
            .with("Accept", accept)
            .with("NAccepted", 12_u32)
            .with("NConnections", 3_u32)
            .with("NRefused", 1_u32)
            .with("ActiveEnterTimestamp", 1_795_225_320_000_000_u64)
    };
    let units = vec![
        service("nginx.service", "active", "enabled").with("NRestarts", 2_u32),
        service("getty@tty1.service", "active", "enabled"),
        service("backup.service", "failed", "static").with("Type", "oneshot").with("TasksCurrent", u64::MAX),
        service("user@0.service", "active", "static"),
        service("init-script.service", "activating", "generated").with("TasksMax", u64::MAX),
        unit("gone.service", "inactive", "enabled"),
        unit("backup.timer", "active", "enabled")
            .with("LastTriggerUSec", 1_795_225_300_250_000_u64)
            .with("ActiveEnterTimestamp", 1_795_225_000_000_000_u64),
        unit("never.timer", "inactive", "enabled").with("LastTriggerUSec", 0_u64),
        socket("sshd-each.socket", true),
        socket("docker.socket", false),
        unit("srv.mount", "active", "generated").with("Type", "ext4").with("ActiveEnterTimestamp", 1_u64),
        unit("proc.mount", "active", "").with("Type", "proc").with("ActiveEnterTimestamp", 1_u64),
        unit("multi-user.target", "active", "static").with("ActiveEnterTimestamp", 1_u64),
        unit("dev-vda.device", "active", "").with("ActiveEnterTimestamp", 1_u64),
        unit("disk.service", "maintenance", "disabled"),
    ];
    let mut world = World { units, manager: HashMap::from(manager), ..World::default() };
    world.units[5].load = "not-found";
    world
}
