"""The overlay that docs/how-to/tokens-and-tls.md has renders to a gateway that finds its tokens in the Secret."""

import re
import shutil
from pathlib import Path

from tests.manifests.pod_security import complaints
from tests.manifests.rendering import render
from tidegate_web.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/how-to/tokens-and-tls.md").read_text()


def test_the_gateway_reads_its_tokens_from_the_secret_that_the_page_makes(tmp_path):
    for part in ("k8s", "hpa"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (folder,) = set(re.findall(r"k8s/overlays/\w+", PAGE))
    (overlay,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "kustomization.yaml").write_text(overlay)
    template = render(str(tmp_path / folder))["Deployment", "tidegate-web"]["spec"]["template"]
    pod = template["spec"]
    (container,) = pod["containers"]
    environ = {variable["name"]: variable.get("value", "pod") for variable in container["env"]}
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "tokens"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "tokens"]
    name, file = re.findall(r"kubectl create secret generic (\S+) --from-file=(\S+)", PAGE)[0]
    assert volume["secret"] == {"secretName": name}
    assert Settings.from_environ(environ).tokens_file == f"{mount['mountPath']}/{file}"
    assert not complaints(template)
