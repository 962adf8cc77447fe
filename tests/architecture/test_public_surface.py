"""What the package promises to its users and to its readers."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import mixqual
from mixqual import errors

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "mixqual"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
LONGEST = 320

# Modules without a test module of their own, and where they are tested instead.
TESTED_ELSEWHERE = {
    **{
        f"bench/peers/{name}.py": "tests/bench/test_peers.py"
        for name in ("registry", "with_kornia", "with_numpy", "with_opencv", "with_torchvision")
    },
    "bench/peers/with_imagecorruptions.py": "tests/test_bench.py, where the bench extra is there",
    "__main__.py": "tests/test_main.py",
    "data/copies.py": "tests/test_distort_files.py",
    "data/given_splits.py": "tests/data/test_folder.py and test_splits.py",
    "images/decoder_process.py": "tests/images/test_limits.py and tests/service/test_decoders.py",
    "images/refusals.py": "tests/images/test_opening.py",
    "images/unreadable.py": "every test of what is refused",
    "service/rules.py": "tests/service/test_rules_of_service.py; another test_rules.py is there",
    "networks/heads.py": "tests/networks/test_backbones.py",
    "data/classes.py": "tests/data/test_folder.py and the tests of every source",
    "data/files.py": "tests/data/test_folder.py and test_dirty_folder.py",
    "data/imagenet_truth.py": "tests/data/test_imagenet.py",
    "data/rows.py": "tests/data/test_manifest.py and test_huggingface.py",
    "data/units.py": "tests/data/test_groups.py",
    "data/cache.py": "tests/data/test_decoded_cache.py",
    "data/image_set.py": "tests/data/test_decoded_cache.py",
    "images/embedded.py": "tests/data/test_huggingface.py and tests/deploy/test_inputs.py",
    "data/index.py": "tests/data/test_folder.py",
    "data/sources.py": "tests/data/test_elpv.py and test_folder.py",
    "distortions/base.py": "tests/distortions/test_distortion_base.py",
    "training/checkpoints.py": "tests/training/test_fit.py, by fits that are interrupted",
    "config/distortions.py": "tests/test_level_grids.py",
    "config/images.py": "tests/test_study_file.py",
    "config/networks.py": "tests/test_study_file.py",
    "config/study.py": "tests/test_study_file.py",
    "config/runtime.py": "tests/config/test_table.py and tests/test_study_file.py",
    "config/training.py": "tests/test_study_file.py and tests/test_plan.py",
    "cli/app.py": "tests/test_cli.py",
    "cli/classifiers.py": "tests/test_cli.py",
    "cli/deployment.py": "tests/deploy/test_predictor.py",
    "cli/images.py": "tests/test_cli.py",
    "cli/reports.py": "tests/report/test_report_command.py",
    "cli/service.py": "tests/service/test_server.py",
    "cli/speed.py": "tests/test_cli.py",
    "cli/studies.py": "tests/test_cli.py",
    "deploy/loading.py": "tests/deploy/test_predictor.py and test_torch_runner.py",
    "deploy/manifest.py": "tests/deploy/test_bundle.py",
    "distortions/keyed.py": "tests/distortions, by every random distortion",
    "report/data_check.py": "tests/report/test_data_check_tables.py",
    "report/page/chart_tables.py": "tests/report/browser, which sorts every table of the page",
    "report/page/charts.py": "tests/report/page/test_render.py, as embedded in the page",
    "report/quality.py": "tests/report/test_quality_table.py",
    "report/unseen.py": "tests/test_unseen.py, as part of a report",
    "doubts.py": "tests/test_resilience.py",
    "split_sweep.py": "tests/test_study.py, as whole runs",
    "summary.py": "tests/test_study.py, as whole runs",
    "costs.py": "tests/test_study.py, as whole runs",
    "workbench.py": "tests/test_study.py and tests/test_processes.py, as whole runs",
    "forecast.py": "tests/test_cli.py, as --dry-run",
    "confidence.py": "tests/evaluation/test_calibration.py",
    "gate_layers.py": "tests/networks/test_gate.py and tests/report/test_gate_table.py",
    "errors.py": "below: it holds classes without code",
    "service/access.py": "tests/service/test_app.py",
    "service/answers.py": "tests/service/test_app.py and test_document.py",
    "service/body.py": "tests/service/test_app.py",
    "service/envelope.py": "tests/service/test_engine.py, by a mistake, and test_app.py",
    "service/images.py": "tests/service/test_app.py, by /explore and the limits",
    "service/metrics.py": "tests/service/test_app.py; another test_metrics.py is there already",
    "service/refusals.py": "tests/service/test_app.py",
    "service/site.py": "tests/service/browser, as the page that it serves",
    "bench/distortions.py": "tests/test_bench.py",
    "bench/cluster.py": "tests/test_bench.py",
    "bench/executor.py": "tests/test_bench.py",
    "bench/forward.py": "tests/test_bench.py",
    "bench/hostile.py": "tests/images/test_limits.py, as what is refused",
    "bench/noise_images.py": "tests/test_bench.py",
    "bench/plain.py": "tests/test_bench.py",
    "bench/artifacts.py": "tests/bench/test_bench_artifacts.py; another test_artifacts.py is there",
    "bench/backbones.py": "tests/bench/test_bench_backbones.py; another test_backbones.py is there",
    "bench/recipe.py": "tests/bench/test_bench_recipe.py; another test_recipe.py is there",
    "bench/mixture.py": "tests/bench/test_bench_mixture.py; another test_mixture.py is there",
    "bench/random_bundle.py": "tests/service, whose services all have one",
    "bench/service.py": "tests/test_bench.py",
    "bench/sweep.py": "tests/bench/test_bench_sweep.py; another test_sweep.py is there",
    "bench/timing.py": "tests/test_bench.py",
    "bench/training.py": "tests/test_bench.py",
    "bench/trees.py": "tests/test_bench.py",
    "evaluation/cell_tables.py": "tests/evaluation/test_areas.py and tests/test_study.py",
    "results/accuracy.py": "tests/results/test_content.py",
    "results/decisions.py": "tests/results/test_content.py",
    "results/provenance.py": "tests/results/test_content.py",
    "results/table.py": "tests/results/test_content.py",
    "results/training.py": "tests/results/test_content.py",
    "results/lookups.py": "tests/report/test_headline.py and test_trust_rows.py",
    "results/names.py": "tests/evaluation/test_areas.py, as keys of tables",
    "results/shipping.py": "tests/report/test_shipping.py, with the table of that name",
    "results/wording.py": "tests/report/test_shipping.py and every table of a report",
    "report/differences.py": "tests/report, by its tables and its headline",
    "report/resilience.py": "tests/test_resilience.py, as printed",
    "report/trees.py": "tests/report/test_tree_tables.py; another test_trees.py is there already",
    "report/variants.py": "tests/report/test_report_variants.py; tests/test_variants.py is another",
    "report/style.py": "tests/report/test_figures.py",
}


@pytest.mark.parametrize("name", mixqual.__all__)
def test_public_names_load_and_are_documented(name: str) -> None:
    found = getattr(mixqual, name)
    assert inspect.getdoc(found), f"mixqual.{name} has no docstring"
    assert name in dir(mixqual)
    if inspect.ismodule(found):
        for inner in getattr(found, "__all__", ()):
            part = getattr(found, inner)
            if inspect.isclass(part) or inspect.isfunction(part):
                assert inspect.getdoc(part), f"mixqual.{name}.{inner} has no docstring"


def test_the_names_of_the_design_work_as_it_says() -> None:
    assert {"gaussian_blur", "gaussian_noise", "jpeg"} <= set(mixqual.distortions())
    assert callable(mixqual.distortion("gaussian_blur"))
    assert callable(mixqual.fusion.optimal_weights)
    assert callable(mixqual.Study.load)
    parameters = list(inspect.signature(mixqual.Study.run).parameters)
    assert parameters == ["self", "out", "earlier", "executor", "store"]
    weights_E = mixqual.fusion.optimal_weights([[0.9, 0.1], [0.8, 0.3]])
    assert weights_E.tolist() == pytest.approx([1, 0], abs=1e-6)


def test_submodules_keep_working_whatever_is_imported_first() -> None:
    """`mixqual.distortions` is a module and a call; importing the module must not hide the call."""
    code = (
        "import mixqual.distortions, mixqual.evaluation, mixqual.fusion, mixqual; "
        "from mixqual.distortions import Distortion; "
        "assert 'gaussian_blur' in mixqual.distortions(); "
        "assert mixqual.distortion('gaussian_blur').name == 'gaussian_blur'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["evaluation", "trust", "recommendation", "fan_out", "resilience"])
def test_computing_loads_nothing_that_draws(name: str) -> None:
    code = (
        f"import sys, mixqual.{name}; "
        "print(sorted({'jinja2', 'matplotlib', 'mixqual.report', 'plotly'} & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout == "[]\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mixqual' has no attribute 'nothing'"):
        _ = mixqual.nothing


def test_importing_the_package_is_quick() -> None:
    code = "import sys, mixqual; sys.exit(bool({'torch', 'numpy', 'timm'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_error_of_the_user_s_is_a_mixqual_error() -> None:
    own = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert len(own) >= 7
    for kind in own:
        assert issubclass(kind, mixqual.MixqualError)
        assert kind.__doc__


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_are_documented_and_short_enough_to_read(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST, f"{path} has {len(lines)} lines; part it"
    assert lines[0].startswith('"""')


def test_there_is_no_module_for_odds_and_ends() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "util", "helpers", "common", "misc"}


def test_every_module_is_tested() -> None:
    tests = {path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    wrong = []
    for path in MODULES:
        relative = path.relative_to(PACKAGE)
        own = relative.with_name(f"test_{relative.name}")
        listed = str(relative) in TESTED_ELSEWHERE
        if listed and own in tests:
            wrong.append(f"{relative} has tests of its own; take it off the list")
        if not listed and own not in tests:
            wrong.append(f"{relative} lacks tests/{own}")
    assert not wrong
    for name in TESTED_ELSEWHERE:
        assert (PACKAGE / name).exists(), f"{name} is gone; take it off the list"


def test_what_a_package_names_exists() -> None:
    packages = [path.parent for path in PACKAGE.rglob("__init__.py")]
    for package in packages:
        module: ModuleType = importlib.import_module(
            ".".join(package.relative_to(PACKAGE.parent).parts)
        )
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__}.{name}"
