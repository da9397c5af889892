/* What happens to the word "bank" beside two pairs of neighbours: one step of attention on two tiny sequences.
 *
 * Each word has a value of two numbers, finance and riverside; that of "bank" itself is neutral. Its query meets the
 * keys of the three words, and the softmax of the scores says how much of each value it takes. The keys here are
 * logarithms of the weights that shall come out: a softmax undoes a logarithm.
 *
 *   cc attention.c -o attention -I "$include" "$library" -Wl,-rpath,"$(dirname "$library")" -lm
 *
 * with include and library as polysemy.get_include() and polysemy.get_library() give them; or with CMake, see
 * CMakeLists.txt.
 */
#include <math.h>
#include <polysemy.h>
#include <stdio.h>

enum { BATCH = 2, WORDS = 3, VALUES = 2 };

static const char* const words[BATCH][WORDS] = {{"money", "bank", "loan"}, {"river", "bank", "water"}};

static const float attention_of_bank[BATCH][WORDS] = {{0.51f, 0.19f, 0.30f}, {0.35f, 0.15f, 0.50f}};

static const float values[BATCH][WORDS][VALUES] = {
    {{1.0f, 0.0f}, {0.5f, 0.5f}, {0.8f, 0.2f}},
    {{0.0f, 1.0f}, {0.5f, 0.5f}, {0.1f, 0.9f}},
};

int main(void) {
  float query[BATCH] = {1.0f, 1.0f};
  float keys[BATCH][WORDS], weights[BATCH][WORDS], bank[BATCH][VALUES];
  polysemy_sdpa_args args;
  int b, w;

  if (polysemy_abi_version() != POLYSEMY_ABI_VERSION) {
    fprintf(stderr, "the library has ABI %d, the header %d\n", polysemy_abi_version(), POLYSEMY_ABI_VERSION);
    return 1;
  }
  for (b = 0; b < BATCH; ++b) {
    for (w = 0; w < WORDS; ++w) keys[b][w] = logf(attention_of_bank[b][w]);
  }

  polysemy_sdpa_init(&args, sizeof args);
  args.batch = BATCH;
  args.heads = args.kv_heads = 1;
  args.q_len = 1; /* only "bank" asks */
  args.k_len = WORDS;
  args.dim = 1;
  args.value_dim = VALUES;
  args.query = query;
  args.key = &keys[0][0];
  args.value = &values[0][0][0];
  args.out = &bank[0][0];
  args.weights = &weights[0][0];
  args.scale = 1.0f;
  if (polysemy_sdpa_set_contiguous(&args) != POLYSEMY_OK || polysemy_sdpa_f32(&args) != POLYSEMY_OK) {
    fprintf(stderr, "%s\n", polysemy_last_error());
    return 1;
  }

  for (b = 0; b < BATCH; ++b) {
    printf("bank beside %s and %s\n", words[b][0], words[b][2]);
    for (w = 0; w < WORDS; ++w) printf("  attends to %-5s %.6f\n", words[b][w], (double)weights[b][w]);
    printf("  finance %.6f, riverside %.6f\n", (double)bank[b][0], (double)bank[b][1]);
  }
  return 0;
}
