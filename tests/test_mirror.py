"""Each module has a test file of its name, in the folder of tests that mirrors its own."""

from pathlib import Path

import sklearn_robust

PACKAGE = Path(sklearn_robust.__path__[0])
TESTS = Path(__file__).parent

# Modules without a test file of their own, and the file that covers each: helpers that users never
# meet by name, and classes that one table of cases tests together.
ELSEWHERE = {
    "differentiable/_open_model.py": "differentiable/test_model.py",
    "metrics/_report_text.py": "metrics/test_report.py",
    "_archive.py": "nets/test_untrusted_files.py",
    "_docstrings.py": "plotting/test_display.py",
    "_norms/_noise.py": "_norms/test_lp.py",
    "_parameters.py": "test_validation.py",
    "_samples.py": "test_validation.py",
    "_version.py": "test_public.py",
    "attacks/_arrays.py": "attacks/test_attack_properties.py",
    "attacks/_base.py": "attacks/test_attack_properties.py",
    "attacks/_other_libraries.py": "attacks/test_external.py",
    "attacks/_core.py": "attacks/test_attack_properties.py",
    "cli/_arguments.py": "cli/test_compare.py",
    "cli/_evaluate.py": "cli/test_compare.py",
    "cli/_tables.py": "cli/test_compare.py",
    "datasets/_images.py": "datasets/test_npz.py",
    "differentiable/_decision_scores.py": "metrics/test_verdict.py",
    "differentiable/_examination.py": "metrics/test_indicator_input.py",
    "differentiable/_fast/reduced_precision.py": "differentiable/classifiers/test_accelerated.py",
    "differentiable/_layers/blocks.py": "differentiable/test_transformers.py",
    "differentiable/_layers/outputs.py": "differentiable/test_classifiers.py",
    "differentiable/classifiers/_bayes.py": "differentiable/test_classifiers.py",
    "differentiable/classifiers/_neural.py": "differentiable/test_classifiers.py",
    "differentiable/transformers/_projections.py": "differentiable/test_transformers.py",
    "exceptions.py": "test_public.py",
    "modules/_mlp.py": "modules/test_modules.py",
    "modules/_mnist.py": "modules/test_modules.py",
    "modules/_preact_resnet.py": "modules/test_modules.py",
    "modules/_wide_resnet.py": "modules/test_modules.py",
    "nets/_engine/parameters.py": "test_bad_parameters.py",
    "nets/_engine/replay.py": "nets/test_gairat.py",
    "nets/_engine/replayed_outputs.py": "nets/_engine/test_callbacks.py",
    "nets/_engine/signature.py": "nets/test_parameters.py",
    "nets/_reweighting.py": "nets/test_gairat.py",
    "plotting/_dendrogram_drawing.py": "plotting/test_class_dendrogram.py",
    "plotting/_geometry_drawing.py": "plotting/test_geometry_display.py",
    "plotting/_layer_lines.py": "plotting/test_layer_spectrum.py",
    "plotting/surfaces/_decision_arrays.py": "plotting/surfaces/test_decision_surface.py",
    "report/_attack.py": "report/test_evaluate.py",
    "report/_audit_report.py": "report/test_robustness_page.py",
    "report/_blocks.py": "report/test_page.py",
    "report/_model_card.py": "report/test_robustness_page.py",
    "report/audit_sections/_answer.py": "report/test_robustness_page.py",
    "report/audit_sections/_details.py": "report/test_robustness_page.py",
    "report/audit_sections/_meaning.py": "report/test_robustness_page.py",
    "report/audit_sections/_trust.py": "report/test_robustness_page.py",
    "report/audit_sections/_why.py": "report/test_robustness_page.py",
    "report/sections/_accuracy.py": "report/test_compare.py",
    "report/sections/_clusters.py": "report/test_studies.py",
    "report/sections/_curves.py": "report/test_compare.py",
    "report/sections/_examples.py": "report/test_studies.py",
    "report/sections/_limits.py": "report/test_compare.py",
    "report/sections/_regions.py": "report/test_compare.py",
    "report/sections/_regularization.py": "report/test_studies.py",
    "report/sections/_summary.py": "report/test_compare.py",
    "report/sections/_surfaces.py": "report/test_studies.py",
    "report/sections/_training.py": "report/test_compare.py",
    "report/sections/_trust.py": "report/test_compare.py",
}


def modules():
    """Path of each module below the package; those of Python's own names are left out."""
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    return {path.as_posix(): path for path in paths if not path.name.startswith("__")}


def mirror_of(path):
    return TESTS / path.parent / f"test_{path.stem.lstrip('_')}.py"


def test_each_module_has_a_test_file_of_its_name():
    lacking = {name for name, path in modules().items() if not mirror_of(path).exists()}
    assert lacking - set(ELSEWHERE) == set()


def test_the_list_of_exceptions_is_true():
    lacking = {name for name, path in modules().items() if not mirror_of(path).exists()}
    assert set(ELSEWHERE) - lacking == set()
    assert [file for file in ELSEWHERE.values() if not (TESTS / file).exists()] == []
