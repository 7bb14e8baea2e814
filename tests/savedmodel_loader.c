/* Runs one input of float32 through an export, by TensorFlow's C API:

     savedmodel_loader FOLDER INPUT OUTPUT DIM... < input > output

   INPUT and OUTPUT are tensors such as serving_default_waveform:0, DIM... the shape of the input.
   Ends with 1 and a message if TensorFlow refuses anything. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

static void check(const TF_Status* status) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s\n", TF_Message(status));
    exit(1);
  }
}

static TF_Output find(TF_Graph* graph, char* tensor) {
  char* colon = strrchr(tensor, ':');
  *colon = 0;
  TF_Output found = {TF_GraphOperationByName(graph, tensor), atoi(colon + 1)};
  if (!found.oper) {
    fprintf(stderr, "no operation %s\n", tensor);
    exit(1);
  }
  return found;
}

int main(int count, char** arguments) {
  int64_t shape[8];
  int rank = count - 4;
  size_t size = sizeof(float);
  for (int axis = 0; axis < rank; ++axis) {
    shape[axis] = atoll(arguments[4 + axis]);
    size *= shape[axis];
  }

  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session =
      TF_LoadSessionFromSavedModel(options, NULL, arguments[1], tags, 1, graph, NULL, status);
  check(status);

  TF_Tensor* input = TF_AllocateTensor(TF_FLOAT, shape, rank, size);
  if (fread(TF_TensorData(input), 1, size, stdin) != size) {
    fprintf(stderr, "expected %zu bytes\n", size);
    return 1;
  }
  TF_Output from = find(graph, arguments[2]), to = find(graph, arguments[3]);
  TF_Tensor* output = NULL;
  TF_SessionRun(session, NULL, &from, &input, 1, &to, &output, 1, NULL, 0, NULL, status);
  check(status);
  fwrite(TF_TensorData(output), 1, TF_TensorByteSize(output), stdout);

  TF_DeleteTensor(input);
  TF_DeleteTensor(output);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
