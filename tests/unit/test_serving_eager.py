"""A model whose graph does not restore its variables is run as TensorFlow's own loader makes it, answers included."""

import logging
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidegate_serving.errors import InvalidArgument
from tidegate_serving.predict import predict
from tidegate_serving.savedmodel import LoadError, SavedModel

ROWS = np.array([[0.5, -1.0], [2.0, 3.0]], np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(3)])


@pytest.fixture(scope="module")
def saved(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Saved with two signatures, in the way that TF Serving cannot run."""

    def both(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = model(rows)
        return {"scores": scores, "best": tf.argmax(scores, axis=1)}

    def lengths(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"lengths": tf.strings.length(texts)}

    folder = tmp_path_factory.mktemp("saved") / "1"
    signatures = {
        "serving_default": tf.function(both, [tf.TensorSpec([None, 2], tf.float32, "rows")]),
        "lengths": tf.function(lengths, [tf.TensorSpec([None], tf.string, "texts")]),
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)
    return folder


def test_answers_are_the_models_own(saved, model, caplog):
    with caplog.at_level(logging.WARNING):
        served = SavedModel(saved)
    assert "TF Serving cannot run this model" in caplog.text
    found = predict(served, "serving_default", {"rows": ROWS})
    assert found["scores"] == pytest.approx(model(ROWS).numpy())
    assert found["best"].tolist() == model(ROWS).numpy().argmax(axis=1).tolist()
    assert set(predict(served, "serving_default", {"rows": ROWS}, ["best"])) == {"best"}
    texts = np.array([b"and", b"gates"], object)
    assert predict(served, "lengths", {"texts": texts})["lengths"].tolist() == [3, 5]
    with pytest.raises(InvalidArgument, match="Expects arg"):
        predict(served, "serving_default", {"rows": ROWS.astype(np.float64)})
    with pytest.raises(tf.errors.InvalidArgumentError):
        predict(served, "serving_default", {"rows": ROWS[:, :1]})
    served.close()


def test_a_model_that_restores_itself_needs_no_second_loader(model, tmp_path, caplog):
    model.export(str(tmp_path / "1"))
    served = SavedModel(tmp_path / "1")
    assert "TF Serving cannot" not in caplog.text
    name, info = next(iter(served.signatures["serving_default"].inputs.items()))
    assert info.dtype == tf.float32.as_datatype_enum
    (found,) = predict(served, "serving_default", {name: ROWS}).values()
    assert found == pytest.approx(model(ROWS).numpy())
    served.close()


def test_what_neither_loader_can_restore_is_not_loaded(saved, tmp_path):
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes((saved / "saved_model.pb").read_bytes())
    with pytest.raises(LoadError):
        SavedModel(folder)
