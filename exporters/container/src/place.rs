//! Which cgroup is a container's: by the name of its folder, which each engine and each of its cgroup drivers makes in
//! a way of its own.
//!
//! | engine | cgroupfs driver | systemd driver |
//! |---|---|---|
//! | Docker | `/docker/<id>` | `/system.slice/docker-<id>.scope` |
//! | containerd (Kubernetes) | `/kubepods/burstable/pod<uid>/<id>` | `….slice/cri-containerd-<id>.scope` |
//! | nerdctl | `/default/<id>` | `/system.slice/nerdctl-<id>.scope` |
//! | CRI-O | `/kubepods/…/crio-<id>` | `….slice/crio-<id>.scope` |
//! | Podman | `/libpod_parent/libpod-<id>` | `/machine.slice/libpod-<id>.scope` |
//!
//! A driver that disagrees with the engine's leaves names with colons (`system.slice:docker:<id>`). Ids have 64
//! hexadecimal digits everywhere. `conmon`, which watches a container, has a cgroup with the container's id that is not
//! the container.

/// The id of the container whose cgroup has this name, if it is one's.
pub fn container_id(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".scope").unwrap_or(name);
    let at = stem.len().checked_sub(ID_DIGITS)?;
    let (prefix, id) = stem.split_at_checked(at)?;
    if !id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    let maker = match prefix {
        "" => return (stem.len() == name.len()).then_some(id),
        _ => prefix.strip_suffix(['-', ':'])?,
    };
    (!maker.ends_with("conmon")).then_some(id)
}

const ID_DIGITS: usize = 64;

/// The uid of the pod to which the cgroup at `path` belongs, with dashes.
pub fn pod_uid(path: &str) -> Option<String> {
    path.split('/').rev().find_map(|name| {
        let stem = name.strip_suffix(".slice").unwrap_or(name);
        // The name of a slice holds those of all slices above it; colons are those of drivers that disagree.
        let stem = stem.split(".slice:").next().unwrap_or(stem);
        let uid = stem.rsplit_once("-pod").map_or_else(|| stem.strip_prefix("pod"), |(_, uid)| Some(uid))?;
        let is_uid =
            uid.len() >= 32 && uid.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b'_'));
        is_uid.then(|| uid.replace('_', "-"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f5a0c1e2b3d4e5f60718293a4b5c6d7e8f9012345678901234567890abcdef0";

    #[test]
    fn every_engine_and_driver() {
        for name in [
            "ID",
            "docker-ID.scope",
            "cri-containerd-ID.scope",
            "nerdctl-ID.scope",
            "crio-ID",
            "crio-ID.scope",
            "libpod-ID",
            "libpod-ID.scope",
            "libpod-payload-ID",
            "system.slice:docker:ID",
            "kubelet-kubepods-burstable-pod1234.slice:cri-containerd:ID",
        ] {
            assert_eq!(container_id(&name.replace("ID", ID)), Some(ID), "{name}");
        }
    }

    #[test]
    fn what_is_no_container() {
        for name in [
            "docker",
            "system.slice",
            "libpod-conmon-ID.scope",
            "crio-conmon-ID",
            "docker-ID.mount",
            "docker-ID.scope.d",
            "ID.scope",
            "xID",
            "0ID",
            "docker-IG.scope",
            "",
            ".scope",
            "é",
        ] {
            let name = name.replace("ID", ID).replace("IG", &ID.replace('f', "g"));
            assert_eq!(container_id(&name), None, "{name}");
        }
        // Cut in the middle of a character.
        assert_eq!(container_id(&format!("é{}", &ID[1..])), None);
        assert_eq!(container_id(&ID.to_uppercase()), None);
    }

    #[test]
    fn pods() {
        let uid = "0a1b2c3d-1111-2222-3333-444455556666";
        let systemd = format!(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-{ID}.scope",
            uid.replace('-', "_")
        );
        assert_eq!(pod_uid(&systemd).as_deref(), Some(uid));
        assert_eq!(pod_uid(&format!("/kubepods/besteffort/pod{uid}/{ID}")).as_deref(), Some(uid));
        let colons =
            format!("/kubelet-kubepods-besteffort-pod{}.slice:cri-containerd:{ID}", uid.replace('-', "_"));
        assert_eq!(pod_uid(&colons).as_deref(), Some(uid));
        // A static pod's is a digest of its file.
        let digest = "0123456789abcdef0123456789abcdef";
        assert_eq!(pod_uid(&format!("/kubepods/pod{digest}/{ID}")).as_deref(), Some(digest));
        assert_eq!(pod_uid(&format!("/docker/{ID}")), None);
        assert_eq!(pod_uid("/machine.slice/podman"), None);
    }
}
