"""An export as a model of MLServer (KServe V2), loaded by MLServer in its own process."""

import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse


class SavedModelRuntime(MLModel):
    """Serves the signature serving_default of a version folder."""

    async def load(self) -> bool:
        loaded = tf.saved_model.load(self.settings.parameters.uri)
        self._loaded, self._serve = loaded, loaded.signatures["serving_default"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        specs = self._serve.structured_input_signature[1]
        try:
            inputs = {
                tensor.name: tf.constant(NumpyCodec.decode_input(tensor), specs[tensor.name].dtype)
                for tensor in payload.inputs
            }
            outputs = self._serve(**inputs)
        except (tf.errors.InvalidArgumentError, TypeError, ValueError, KeyError) as error:
            # What the client got wrong is answered with 400 or INVALID_ARGUMENT.
            raise InferenceError(f"{type(error).__name__}: {error}") from error
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[
                NumpyCodec.encode_output(name, value.numpy()) for name, value in outputs.items()
            ],
        )
