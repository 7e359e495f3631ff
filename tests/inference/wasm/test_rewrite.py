"""Classical operators rewritten: the same answers as ONNX Runtime, refusals by name."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import (
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, Normalizer

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.onnx_runtime import ort
from caimi.inference.wasm.compiling.rewrite import rewrite
from zoo import named

ML = "ai.onnx.ml"
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def run(model, inputs):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options)
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def assert_equal(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == value.dtype
        assert got[name].shape == value.shape
        if value.dtype.kind == "f":
            np.testing.assert_allclose(got[name], value, rtol=2e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(got[name], value)


def assert_rewritten(model, inputs, reference=True):
    before = model.SerializeToString(deterministic=True)
    plain = rewrite(model)
    assert model.SerializeToString(deterministic=True) == before
    assert not [node.op_type for node in plain.graph.node if node.domain == ML]
    onnx.checker.check_model(plain, full_check=True)
    expected = run(model, inputs)
    assert_equal(run(plain, inputs), expected)
    if not reference:
        return
    evaluator = ReferenceEvaluator(plain)
    assert_equal(
        dict(zip(evaluator.output_names, evaluator.run(None, inputs), strict=True)), expected
    )


def one(kind, outputs, width, ml=3, opset=18, **attributes):
    """A model of one classical operator on `x` float32 [rows, width]."""
    node = helper.make_node(kind, ["x"], [name for name, *_ in outputs], domain=ML, **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", FLOAT, ["rows", width])],
        [helper.make_tensor_value_info(*each) for each in outputs],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML, ml)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def classified(classes):
    return [("label", INT64, ["rows"]), ("scores", FLOAT, ["rows", classes])]


def numbers(classes):
    return [("y", FLOAT, ["rows", classes])]


def rows(count, width, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def forest(seed, kind, columns, modes=MODES, missing=True, low=-1.0, trees=5, width=3):
    """Attributes of random trees on features that are often equal to a threshold."""
    drawn = np.random.default_rng(seed)
    nodes = {name: [] for name in ("treeids", "nodeids", "featureids", "values", "modes")}
    nodes |= {name: [] for name in ("truenodeids", "falsenodeids", "missing_value_tracks_true")}
    leaves = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees):
        count, at = 1, 0
        while at < count:
            leaf = at > 8 or (at > 2 and drawn.random() < 0.4) or (tree == 0)
            values = {
                "treeids": tree,
                "nodeids": at,
                "featureids": int(drawn.integers(width)),
                "values": float(drawn.integers(-1, 2)),
                "modes": "LEAF" if leaf else str(drawn.choice(modes)),
                "truenodeids": 0 if leaf else count,
                "falsenodeids": 0 if leaf else count + 1,
                "missing_value_tracks_true": int(missing and drawn.random() < 0.5),
            }
            for name, value in values.items():
                nodes[name].append(value)
            if leaf:
                for column in range(columns):
                    leaves["treeids"].append(tree)
                    leaves["nodeids"].append(at)
                    leaves["ids"].append(column)
                    leaves["weights"].append(float(drawn.uniform(low, 1)))
            else:
                count += 2
            at += 1
    named_nodes = {f"nodes_{name}": values for name, values in nodes.items()}
    return named_nodes | {f"{kind}_{name}": values for name, values in leaves.items()}


def few_values(count, width, seed=0):
    values = np.float32([-1, -0.5, 0, 0.5, 1, np.nan, np.inf, -np.inf, -0.0])
    return np.random.default_rng(seed).choice(values, (count, width))


@pytest.mark.parametrize(
    "name", ["logistic_regression", "perceptron", "gradient_boosting", "random_forest"]
)
def test_models_of_the_zoo_give_the_same_answers(name):
    model = named(name)
    # The reference's GatherElements, made of numpy.choose, takes at most 63 features.
    reference = name != "random_forest"
    assert_rewritten(onnx.load_from_string(model.build(0)), model.inputs(40, 0), reference)


IRIS, KINDS = load_iris(return_X_y=True)
CELLS, CANCER = load_breast_cancer(return_X_y=True)
CELLS = CELLS[:, :6]
HOLES = np.where(np.random.default_rng(0).random(IRIS.shape) < 0.1, np.nan, IRIS)


@pytest.mark.parametrize(
    ("estimator", "features", "targets"),
    [
        (GradientBoostingClassifier(n_estimators=5), IRIS, KINDS),
        (RandomForestClassifier(5, random_state=0), IRIS, KINDS),
        (RandomForestClassifier(5, random_state=0), IRIS, KINDS + 4),
        (RandomForestClassifier(5, random_state=0), CELLS, CANCER),
        (RandomForestClassifier(5, random_state=0), CELLS, CANCER * 3 - 1),
        (RandomForestRegressor(5, random_state=0), IRIS, IRIS[:, 1]),
        (GradientBoostingRegressor(n_estimators=5), IRIS, IRIS[:, 1]),
        (AdaBoostRegressor(n_estimators=4, random_state=0), IRIS, IRIS[:, 1]),
        (LinearRegression(), IRIS, IRIS[:, 1:3]),
        (LogisticRegression(), IRIS, KINDS),
        (LogisticRegression(), IRIS, KINDS * 2),
        (LogisticRegression(), CELLS / 100, CANCER),
        (make_pipeline(Normalizer("l2"), LogisticRegression()), IRIS, KINDS),
        (make_pipeline(Normalizer("l1"), LogisticRegression()), IRIS, KINDS),
        (make_pipeline(Binarizer(threshold=2.5), LogisticRegression()), IRIS, KINDS),
        (make_pipeline(SimpleImputer(), LogisticRegression()), HOLES, KINDS),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_what_skl2onnx_exports_gives_the_same_answers(estimator, features, targets):
    features = features.astype(np.float32)
    estimator.fit(features, targets)
    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else {}
    model = to_onnx(
        estimator,
        features[:1],
        target_opset={"": 18, ML: 3},
        options={id(estimator): options} if options else None,
    )
    assert_rewritten(model, {model.graph.input[0].name: features})


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_trees_of_any_comparison_take_the_branches_of_onnx_runtime(seed, transform):
    model = one(
        "TreeEnsembleClassifier",
        classified(3),
        3,
        classlabels_int64s=[5, 9, 7],
        post_transform=transform,
        base_values=[0.5, -0.25, 0.125],
        **forest(seed, "class", 3),
    )
    assert_rewritten(model, {"x": few_values(64, 3, seed)})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("missing", [False, True])
def test_trees_of_one_comparison_take_the_branches_of_onnx_runtime(mode, missing):
    attributes = forest(7, "target", 2, modes=[mode], missing=missing)
    model = one("TreeEnsembleRegressor", numbers(2), 3, n_targets=2, **attributes)
    assert_rewritten(model, {"x": few_values(64, 3)})


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
@pytest.mark.parametrize("low", [-1.0, 0.01])
@pytest.mark.parametrize("base", [[], [0.25], [-0.25]])
def test_two_classes_of_one_score_follow_onnx_runtime(transform, low, base):
    model = one(
        "TreeEnsembleClassifier",
        classified(2),
        3,
        classlabels_int64s=[4, 2],
        post_transform=transform,
        **({"base_values": base} if base else {}),
        **forest(11, "class", 1, low=low),
    )
    assert_rewritten(model, {"x": few_values(64, 3)})


@pytest.mark.parametrize("how", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("base", [[], [0.5, -2.0]])
def test_regression_trees_are_summed_as_they_say(how, base):
    model = one(
        "TreeEnsembleRegressor",
        numbers(2),
        3,
        n_targets=2,
        aggregate_function=how,
        **({"base_values": base} if base else {}),
        **forest(3, "target", 2),
    )
    assert_rewritten(model, {"x": few_values(64, 3)})


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize("classes", [2, 3])
def test_linear_classifiers_transform_as_they_say(transform, classes):
    coefficients = rows(classes, 4, 1).ravel().tolist()
    model = one(
        "LinearClassifier",
        classified(classes),
        4,
        classlabels_ints=[9, 5, 7][:classes],
        coefficients=coefficients,
        intercepts=[0.5, -0.25, 0.125][:classes],
        post_transform=transform,
    )
    assert_rewritten(model, {"x": rows(32, 4)})


def test_a_linear_classifier_of_one_row_decides_between_two_labels():
    model = one(
        "LinearClassifier",
        classified(2),
        4,
        classlabels_ints=[9, 5],
        coefficients=rows(1, 4, 1).ravel().tolist(),
        intercepts=[0.125],
        post_transform="LOGISTIC",
    )
    assert_rewritten(model, {"x": rows(32, 4)})


def test_rows_of_zeros_stay_as_they_are_when_normalised():
    data = rows(8, 3)
    data[2:4] = 0
    for norm in ("L1", "L2"):
        assert_rewritten(one("Normalizer", numbers(3), 3, norm=norm), {"x": data})


@pytest.mark.parametrize("value", [np.nan, 0.5])
def test_missing_values_are_replaced(value):
    model = one(
        "Imputer",
        numbers(3),
        3,
        imputed_value_floats=[7.0, 8.0, 9.0],
        replaced_value_float=float(value),
    )
    assert_rewritten(model, {"x": few_values(32, 3)})


def test_places_of_the_last_dimension_are_extracted():
    def extract(data, places):
        node = helper.make_node("ArrayFeatureExtractor", ["data", "places"], ["y"], domain=ML)
        graph = helper.make_graph(
            [node],
            "extract",
            [helper.make_tensor_value_info("data", FLOAT, data.shape)],
            [helper.make_tensor_value_info("y", FLOAT, None)],
            [numpy_helper.from_array(np.asarray(places, np.int64), "places")],
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ML, 3)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        expected = run(model, {"data": data})
        assert_equal(run(rewrite(model), {"data": data}), expected)

    extract(rows(1, 5)[0], [3])
    extract(rows(1, 5)[0], [[3], [1]])
    extract(rows(4, 5), [3, 0, 3])
    extract(rows(4, 6).reshape(2, 2, 6), [[5, 0]])


@pytest.mark.parametrize("follower", ["Reshape", "Transpose"])
def test_a_vector_of_labels_is_one_row_for_all_that_see_its_shape(follower):
    nodes = [
        helper.make_node("ArrayFeatureExtractor", ["data", "places"], ["found"], domain=ML),
        helper.make_node("Reshape", ["found", "flat"], ["y"]),
        helper.make_node(follower, ["found", "flat"][: 2 if follower == "Reshape" else 1], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "labels",
        [helper.make_tensor_value_info("places", INT64, ["rows", 1])],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in "yz"],
        [
            numpy_helper.from_array(np.float32([5, 9, 7]), "data"),
            numpy_helper.from_array(np.int64([-1]), "flat"),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ML, 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    inputs = {"places": np.int64([[2], [0], [1], [2]])}
    assert_equal(run(rewrite(model), inputs), run(model, inputs))


def test_names_of_the_model_are_never_taken_for_new_ones():
    model = onnx.load_from_string(named("logistic_regression").build(0))
    scaled, *_ = rewrite(model).graph.initializer
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [scaled.name if name == "variable" else name for name in names]
    assert_rewritten(model, named("logistic_regression").inputs(20, 0))


def test_a_model_without_classical_operators_is_given_back():
    model = onnx.load_from_string(named("digits_cnn").build(0))
    assert rewrite(model) is model


def broken(**changes):
    attributes = forest(3, "class", 3) | {"classlabels_int64s": [0, 1, 2]} | changes
    given = {name: value for name, value in attributes.items() if value is not None}
    return one("TreeEnsembleClassifier", classified(3), 3, **given)


def two_classes(**changes):
    attributes = forest(3, "class", 1) | {"classlabels_int64s": [0, 1]} | changes
    return one("TreeEnsembleClassifier", classified(2), 3, **attributes)


def incomplete(how):
    attributes = forest(3, "target", 1)
    for name in ("treeids", "nodeids", "ids", "weights"):
        attributes[f"target_{name}"] = attributes[f"target_{name}"][1:]
    return one("TreeEnsembleRegressor", numbers(1), 3, aggregate_function=how, **attributes)


ONE_TREE = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_values": [0.0, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "nodes_missing_value_tracks_true": None,
    "class_treeids": [0, 0],
    "class_nodeids": [1, 2],
    "class_ids": [0, 1],
    "class_weights": [1.0, 1.0],
}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (one("SVMRegressor", numbers(1), 3), "ai.onnx.ml.SVMRegressor"),
        (one("ZipMap", [("z", FLOAT, None)], 3, classlabels_int64s=[0]), "ai.onnx.ml.ZipMap"),
        (one("Scaler", numbers(3), 3, opset=11, offset=[0.0], scale=[1.0]), "opset 13"),
        (one("Normalizer", numbers(3), 3, norm="MAX"), "norm is MAX"),
        (broken(post_transform="PROBIT"), "post_transform is PROBIT"),
        (broken(classlabels_int64s=None, classlabels_strings=list("abc")), "classlabels_strings"),
        (broken(classlabels_int64s=[1]), "fewer than two classes"),
        (broken(nodes_values=[0.0]), "not of one length"),
        (broken(base_values=[0.5]), "1 base values"),
        (broken(class_nodeids=[10_000] * len(broken().graph.node)), "not of one length"),
        (two_classes(post_transform="SOFTMAX"), "SOFTMAX"),
        (two_classes(class_ids=[1] * len(forest(3, "class", 1)["class_ids"])), "numbered 0"),
        (broken(**ONE_TREE | {"nodes_truenodeids": [0, 0, 0]}), "circle"),
        (broken(**ONE_TREE | {"nodes_truenodeids": [7, 0, 0]}), "no node 7"),
        (broken(**ONE_TREE | {"nodes_featureids": [3, 0, 0]}), "feature 3 of 3"),
        (broken(**ONE_TREE | {"nodes_featureids": [-1, 0, 0]}), "feature -1 of 3"),
        (broken(**ONE_TREE | {"nodes_nodeids": [0, 1, 1]}), "stands twice"),
        (
            broken(**ONE_TREE | {"nodes_modes": ["BRANCH", "LEAF", "LEAF"]}),
            "nodes_modes has BRANCH",
        ),
        (broken(**ONE_TREE | {"class_ids": [0, 3]}), "is of no leaf"),
        (broken(**ONE_TREE | {"class_nodeids": [0, 1]}), "is of no leaf"),
        (broken(**ONE_TREE | {"class_weights": [1.0, -1.0]}), "not every leaf"),
        (incomplete("MIN"), "MIN of leaves without a weight"),
        (incomplete("MAX"), "MAX of leaves without a weight"),
        (
            one(
                "LinearClassifier",
                classified(2),
                4,
                classlabels_ints=[9, 5],
                coefficients=[1.0] * 4,
                intercepts=[0.125],
            ),
            "one row for two classes",
        ),
        (one("LinearRegressor", numbers(2), 3, targets=2, coefficients=[1.0] * 3), "no 2 rows"),
        (
            one("LinearRegressor", numbers(1), 3, coefficients=[1.0] * 3, intercepts=[0.0, 1.0]),
            "2 intercepts for 1 rows",
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_what_has_no_rewriting_is_refused_by_name(model, words):
    with pytest.raises(ModelNotRunnable, match=words):
        rewrite(model)


def test_one_tree_that_is_sound_is_rewritten():
    assert_rewritten(broken(**ONE_TREE), {"x": few_values(64, 3)})


def test_features_of_another_type_are_refused():
    model = one("Scaler", numbers(3), 3, offset=[0.0], scale=[1.0])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    with pytest.raises(ModelNotRunnable, match="'x' is not float32"):
        rewrite(model)
