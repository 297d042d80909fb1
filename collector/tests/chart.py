"""Checks helm/taffrail: Helm lints and renders it, the Kubernetes schemas accept what comes out, the pod has no more
rights than it needs, and wrong values are refused. Each check is first seen to fail on a broken chart."""

import copy
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import helm_python as helm
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "taffrail"
# The oldest that the chart's kubeVersion admits and the schemas know, one between, the newest.
VERSIONS = ["1.27", "1.32", kubernetes_validate.latest_version()]

VALUES = {
    "defaults": {},
    "all": {
        "image": {"repository": "registry.example/taffrail", "tag": "1.2.3", "pullSecrets": [{"name": "pull"}]},
        "config": {
            "interval": "30s",
            "outputs": {
                "prometheus": [{"url": "https://prometheus.example/api/v1/write"}],
                "loki": [{"url": "https://loki.example", "password_file": "/run/secrets/taffrail/loki"}],
            },
        },
        "secretName": "taffrail",
        "dataPath": "/data/taffrail",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [],
        "priorityClassName": "",
        "resources": {},
    },
}

REFUSED = {
    "an unknown key": {"replicas": 3},
    "an unknown key of the image": {"image": {"repo": "x"}},
    "the tag latest": {"image": {"tag": "latest"}},
    "a number for the interval": {"config": {"interval": 15}},
    "a data_dir of one's own": {"config": {"data_dir": "/tmp"}},
    "a relative dataPath": {"dataPath": "data"},
    "an unknown pull policy": {"image": {"pullPolicy": "Sometimes"}},
}


def render(values):
    """The chart's objects, by kind."""
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values, name="test", namespace="monitoring")
    objects = [
        document
        for name, text in files.items()
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    return {document["kind"]: document for document in objects}


def schema_faults(objects):
    """What the schemas of Kubernetes say."""
    faults = []
    for document in objects.values():
        for version in VERSIONS:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                faults.append(f"{document['kind']}, Kubernetes {version}: {error.message}")
    return faults


def posture_faults(objects):
    """What the pod may do that it need not."""
    pod = objects["DaemonSet"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    rights = container["securityContext"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    config = yaml.safe_load(objects["ConfigMap"]["data"]["taffrail.yml"])
    wanted = {
        "drops all capabilities": rights["capabilities"]["drop"] == ["ALL"],
        "adds DAC_READ_SEARCH only": rights["capabilities"]["add"] == ["DAC_READ_SEARCH"],
        "cannot gain privileges": rights["allowPrivilegeEscalation"] is False and "privileged" not in rights,
        "has a read-only root": rights["readOnlyRootFilesystem"] is True,
        "has the default seccomp profile": pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault",
        "mounts the host read-only": mounts["host"]["readOnly"] and mounts["logs"]["readOnly"],
        "has no token": pod["automountServiceAccountToken"] is False
        and objects["ServiceAccount"]["automountServiceAccountToken"] is False,
        "listens on loopback": config["listen"].startswith("127.0.0.1:"),
        "opens no port": "ports" not in container,
        "names the node as the host": config["hostname"] == "${NODE_NAME}",
        "selects its own pods": objects["DaemonSet"]["spec"]["selector"]["matchLabels"].items()
        <= objects["DaemonSet"]["spec"]["template"]["metadata"]["labels"].items(),
        "is pinned": not container["image"].endswith((":", ":latest")),
    }
    return [f"the pod no longer {what}" for what, holds in wanted.items() if not holds]


def broken(objects, change):
    """A copy of the objects with one fault."""
    objects = copy.deepcopy(objects)
    change(objects["DaemonSet"]["spec"]["template"]["spec"]["containers"][0])
    return objects


def check():
    faults = []
    rendered = {name: render(values) for name, values in VALUES.items()}

    # Seen to fail, so that silence below means something.
    good = rendered["defaults"]
    if not schema_faults(broken(good, lambda container: container.update(imagePullPolicies="Always"))):
        faults.append("the schema check does not see an unknown field")
    if not schema_faults(broken(good, lambda container: container.pop("name"))):
        faults.append("the schema check does not see a missing name")
    if not posture_faults(broken(good, lambda c: c["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]))):
        faults.append("the posture check does not see SYS_ADMIN")
    if not posture_faults(broken(good, lambda c: c["securityContext"].update(readOnlyRootFilesystem=False))):
        faults.append("the posture check does not see a writable root")

    with tempfile.TemporaryDirectory() as folder:
        if not lint_faults(broken_chart(folder)):
            faults.append("helm lint does not see a chart without a version")

    faults += lint_faults(CHART)
    for name, objects in rendered.items():
        if set(objects) != {"ServiceAccount", "ConfigMap", "DaemonSet"}:
            faults.append(f"{name}: renders {sorted(objects)}")
        faults += [f"{name}: {fault}" for fault in schema_faults(objects) + posture_faults(objects)]
    config = yaml.safe_load(rendered["all"]["ConfigMap"]["data"]["taffrail.yml"])
    if config["outputs"] != VALUES["all"]["config"]["outputs"] or config["host"]["rootfs"] != "/host":
        faults.append("the user's config does not lie over the chart's")
    faults += config_faults(rendered["defaults"]["ConfigMap"]["data"]["taffrail.yml"])
    if not config_faults("hots: {}"):
        faults.append("the collector takes any config")
    for what, values in REFUSED.items():
        try:
            render(values)
            faults.append(f"{what} is not refused")
        except helm.HelmError:
            pass
    return faults


def config_faults(text):
    """What the collector says of its config; its folders are replaced by this machine's."""
    program = os.environ.get("TAFFRAIL_BIN", ROOT / "target/debug/taffrail")
    text = text.replace("rootfs: /host", "rootfs: /").replace(" /host/", " /")
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "taffrail.yml"
        config.write_text(text.replace("/var/lib/taffrail", folder))
        environment = {"NODE_NAME": "node-1", "PATH": os.environ["PATH"]}
        done = subprocess.run(
            [program, "check", "--config", config], env=environment, capture_output=True, text=True, check=False
        )
    return [f"taffrail check: {done.stderr or done.stdout}"] if done.returncode else []


def lint_faults(chart):
    """Helm's own findings, from warnings on (2)."""
    result = helm.lint(str(chart), strict=True)
    found = [message["error"] for message in result["messages"] if message["severity"] >= 2]
    return [f"helm lint: {message}" for message in found + result["errors"]]


def broken_chart(folder):
    """A copy of the chart without its version."""
    chart = pathlib.Path(shutil.copytree(CHART, pathlib.Path(folder) / CHART.name))
    lines = (chart / "Chart.yaml").read_text().splitlines(keepends=True)
    (chart / "Chart.yaml").write_text("".join(line for line in lines if not line.startswith("version:")))
    return chart


if __name__ == "__main__":
    FAULTS = check()
    for fault in FAULTS:
        print(f"helm/taffrail: {fault}", file=sys.stderr)
    if FAULTS:
        sys.exit(1)
    print(f"helm/taffrail: renders, and is valid for Kubernetes {', '.join(VERSIONS)}")
