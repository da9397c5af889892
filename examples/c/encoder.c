/* An encoder without Python: "bank" in two sentences, layer by layer.
 *
 * The encoder has the shape of a small BERT. Its weights are made up, so that its vectors mean nothing, but they show
 * what a contextual embedding is: "bank" begins as the same vector in both sentences, and the layers make two of it.
 * A program for a real model takes the tensors of a checkpoint instead; polysemy_encoder_parameters says which.
 */
#include <math.h>
#include <polysemy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HIDDEN = 32, LAYERS = 2, HEADS = 4, WORDS = 8, SEQUENCES = 3, TOKENS = 11, MOST_PARAMETERS = 64 };

static const char* const words[WORDS] = {"[CLS]", "[SEP]", "bank", "money", "loan", "river", "water", "deep"};

/* One sentence after the other, without padding; "bank" is the second token of the first two. */
static const int32_t ids[TOKENS] = {0, 2, 3, 4, 1, 0, 2, 5, 1, 7, 6};
static const int64_t offsets[SEQUENCES + 1] = {0, 5, 9, 11};
enum { FIRST_BANK = 1, SECOND_BANK = 6 };

static void check(polysemy_status status) {
  if (status == POLYSEMY_OK) return;
  fprintf(stderr, "%s\n", polysemy_last_error());
  exit(1);
}

/* Numbers from -0.25 to 0.25, the same in every run. */
static float made_up(void) {
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return (float)(state >> 8) / 33554432.0f - 0.25f;
}

static polysemy_encoder* make_encoder(void) {
  const polysemy_norm_spec norm = {POLYSEMY_NORM_LAYER, 1e-12f, 1};
  polysemy_encoder_spec spec;
  polysemy_layer_spec layers[LAYERS];
  polysemy_parameter parameters[MOST_PARAMETERS];
  polysemy_tensor tensors[MOST_PARAMETERS];
  polysemy_encoder* encoder;
  float* data[MOST_PARAMETERS];
  int64_t count, i, j;

  check(polysemy_encoder_spec_init(&spec, sizeof spec));
  spec.hidden = HIDDEN;
  spec.max_positions = 16;
  spec.embedding.vocab = WORDS;
  spec.embedding.positions = 1;
  spec.embedding.norm = norm;
  spec.layers = layers;
  spec.layer_count = LAYERS;
  for (i = 0; i < LAYERS; ++i) {
    check(polysemy_layer_spec_init(&layers[i], sizeof layers[i]));
    layers[i].attention.heads = HEADS;
    layers[i].attention.head_dim = HIDDEN / HEADS;
    layers[i].attention.bias = layers[i].attention.output_bias = 1;
    layers[i].ffn.width = 4 * HIDDEN;
    layers[i].ffn.activation = POLYSEMY_ACTIVATION_GELU;
    layers[i].ffn.up_bias = layers[i].ffn.down_bias = 1;
    layers[i].attn_out = layers[i].ffn_out = norm;
  }

  check(polysemy_encoder_parameters(&spec, parameters, MOST_PARAMETERS, &count));
  if (count > MOST_PARAMETERS) exit(1);
  for (i = 0; i < count; ++i) {
    const int64_t size = parameters[i].rows * parameters[i].columns;
    const int scales = parameters[i].rows == 1 && strstr(parameters[i].name, ".weight") != NULL; /* of a norm */
    data[i] = malloc((size_t)size * sizeof(float));
    if (!data[i]) exit(1);
    for (j = 0; j < size; ++j) data[i][j] = made_up() + (scales ? 1.0f : 0.0f);
    tensors[i].name = parameters[i].name;
    tensors[i].data = data[i];
    tensors[i].dtype = POLYSEMY_FLOAT32;
    tensors[i].rows = parameters[i].rows;
    tensors[i].columns = parameters[i].columns;
  }
  check(polysemy_encoder_create(&spec, tensors, count, &encoder));
  for (i = 0; i < count; ++i) free(data[i]); /* the encoder has its own */
  return encoder;
}

static double cosine(const float* a, const float* b) {
  double dot = 0.0, aa = 0.0, bb = 0.0;
  int i;
  for (i = 0; i < HIDDEN; ++i) {
    dot += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return dot / sqrt(aa * bb);
}

int main(void) {
  static float states[LAYERS + 1][TOKENS][HIDDEN], vectors[SEQUENCES][HIDDEN];
  polysemy_layer_output hidden[LAYERS + 1];
  polysemy_encoder_args args;
  polysemy_encoder* encoder;
  int64_t s, t;
  int i;

  if (polysemy_abi_version() != POLYSEMY_ABI_VERSION) {
    fprintf(stderr, "the library has ABI %d, the header %d\n", polysemy_abi_version(), POLYSEMY_ABI_VERSION);
    return 1;
  }
  encoder = make_encoder();

  check(polysemy_encoder_args_init(&args, sizeof args));
  args.sequences = SEQUENCES;
  args.offsets = offsets;
  args.ids = ids;
  for (i = 0; i <= LAYERS; ++i) {
    hidden[i].layer = i;
    hidden[i].out = &states[i][0][0];
  }
  args.hidden = hidden;
  args.hidden_count = LAYERS + 1;
  args.pooled = &vectors[0][0];
  args.pooling = POLYSEMY_POOL_MEAN;
  args.normalize = 1;
  check(polysemy_encoder_forward(encoder, &args));
  polysemy_encoder_destroy(encoder);

  for (i = 0; i <= LAYERS; ++i) {
    printf("layer %d: cosine of bank and bank %.6f\n", i, cosine(states[i][FIRST_BANK], states[i][SECOND_BANK]));
  }
  for (s = 0; s < SEQUENCES; ++s) {
    for (t = offsets[s]; t < offsets[s + 1]; ++t) printf("%s ", words[ids[t]]);
    printf("->");
    for (i = 0; i < 4; ++i) printf(" %.9g", (double)vectors[s][i]);
    printf(" ...\n");
  }
  return 0;
}
