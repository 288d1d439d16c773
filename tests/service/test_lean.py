"""What a server does not load: torch's compiler, which takes 150 MB and which nothing here asks for."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import ExplainOptions
from tests.service.test_explainer import LIMITS, SIDE, png, save_model

folder = Path(sys.argv[1])
save_model(folder / "small")
explainer = Explainer(
    Catalogue(folder, "cpu", "small"), Engine(EngineLimits(places=1)), decode_limits=LIMITS, max_rows=9
)
methods = ("adversarial", "gradient", "gradcam", "occlusion")
explainer.explain(png(SIDE, SIDE), ExplainOptions(methods=methods, margin=True, quality=True), WorkToken())
loaded = {"triton", "sympy", "torch._dynamo", "torch._inductor"} & sys.modules.keys()
assert not loaded, loaded
"""


def test_explaining_loads_no_compiler(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, tmp_path], check=True, cwd=ROOT)
