/* GRU, LSTM and RNN with the default activations: each step's gates by rows, then the cells. */
#include <stddef.h>

#include "functions.h"
#include "caimi_operators.h"
#include "sums.h"

static float caimi_gates[4][CAIMI_MAX_HIDDEN];
static float caimi_states[2][CAIMI_MAX_HIDDEN];

/* What one step reads: the input row, the previous state, one direction's weights. */
typedef struct {
    int32_t input, hidden, gates;
    const float *x, *h, *w, *r, *b;
} caimi_step;

CAIMI_INLINE float caimi_from_input(const caimi_step *s, int32_t row) {
    const float sum = caimi_folded_products(s->w + row * s->input, s->x, s->input);
    return s->b ? sum + s->b[row] : sum;
}

CAIMI_INLINE float caimi_from_state(const caimi_step *s, const float *h, int32_t row) {
    const float sum = caimi_folded_products(s->r + row * s->hidden, h, s->hidden);
    return s->b ? sum + s->b[s->gates * s->hidden + row] : sum;
}

static void caimi_gate(const caimi_step *s, int32_t gate, float *to) {
    const int32_t first = gate * s->hidden;
    for (int32_t at = 0; at < s->hidden; at++)
        to[at] = caimi_from_input(s, first + at) + caimi_from_state(s, s->h, first + at);
}

/* Whole vectors: the buffers are a multiple of four long. */
static void caimi_sigmoids(float *gate, int32_t count) {
    for (int32_t at = 0; at < count; at += 4)
        caimi_store4(gate + at, caimi_sigmoid4(caimi_load4(gate + at)));
}

static void caimi_tanhs(float *gate, int32_t count) {
    for (int32_t at = 0; at < count; at += 4)
        caimi_store4(gate + at, caimi_tanh4(caimi_load4(gate + at)));
}

static float caimi_canonical(float value) {
    return caimi_canonical4(caimi_splat4(value))[0];
}

static void caimi_begin(int32_t hidden, const float *initial, float *state) {
    for (int32_t at = 0; at < hidden; at++) state[at] = initial ? initial[at] : 0.0f;
}

static void caimi_gru_cell(const caimi_recurrent *net, const caimi_step *s, float *h) {
    float *update = caimi_gates[0], *reset = caimi_gates[1], *fresh = caimi_gates[2];
    const int32_t hidden = s->hidden;
    caimi_gate(s, 0, update);
    caimi_gate(s, 1, reset);
    caimi_sigmoids(update, hidden);
    caimi_sigmoids(reset, hidden);
    if (!net->linear_before_reset)
        for (int32_t at = 0; at < hidden; at++) caimi_gates[3][at] = reset[at] * h[at];
    for (int32_t at = 0; at < hidden; at++) {
        const int32_t row = 2 * hidden + at;
        const float input = caimi_from_input(s, row);
        if (net->linear_before_reset)
            fresh[at] = input + reset[at] * caimi_from_state(s, h, row);
        else
            fresh[at] = input + caimi_from_state(s, caimi_gates[3], row);
    }
    caimi_tanhs(fresh, hidden);
    for (int32_t at = 0; at < hidden; at++)
        h[at] = caimi_canonical((1.0f - update[at]) * fresh[at] + update[at] * h[at]);
}

static void caimi_lstm_cell(const caimi_step *s, float *h, float *c) {
    float *in = caimi_gates[0], *out = caimi_gates[1], *keep = caimi_gates[2], *new = caimi_gates[3];
    const int32_t hidden = s->hidden;
    for (int32_t gate = 0; gate < 4; gate++) caimi_gate(s, gate, caimi_gates[gate]);
    for (int32_t gate = 0; gate < 3; gate++) caimi_sigmoids(caimi_gates[gate], hidden);
    caimi_tanhs(new, hidden);
    for (int32_t at = 0; at < hidden; at++)
        new[at] = c[at] = caimi_canonical(keep[at] * c[at] + in[at] * new[at]);
    caimi_tanhs(new, hidden);
    for (int32_t at = 0; at < hidden; at++) h[at] = caimi_canonical(out[at] * new[at]);
}

static void caimi_rnn_cell(const caimi_recurrent *net, const caimi_step *s, float *h) {
    float *gate = caimi_gates[0];
    caimi_gate(s, 0, gate);
    if (!net->relu) caimi_tanhs(gate, s->hidden);
    for (int32_t at = 0; at < s->hidden; at++)
        h[at] = caimi_canonical(net->relu && gate[at] < 0.0f ? 0.0f : gate[at]);
}

enum { CAIMI_RNN = 1, CAIMI_GRU = 3, CAIMI_LSTM = 4 }; /* gates of each */

CAIMI_INLINE void caimi_unroll(const caimi_recurrent *net, int32_t gates, const float *x,
                               const float *w, const float *r, const float *b,
                               const float *initial_h, const float *initial_c, float *y,
                               float *last_h, float *last_c) {
    float *h = caimi_states[0], *c = caimi_states[1];
    const uint32_t bytes = (uint32_t)net->hidden * 4;
    for (int32_t n = 0; n < net->batch; n++) {
        const int32_t place = n * net->state_batch;
        caimi_begin(net->hidden, initial_h ? initial_h + place : NULL, h);
        caimi_begin(net->hidden, initial_c ? initial_c + place : NULL, c);
        for (int32_t step = 0; step < net->steps; step++) {
            const int32_t t = net->reverse ? net->steps - 1 - step : step;
            const caimi_step s = {net->input, net->hidden, gates,
                                  x + t * net->x_step + n * net->x_batch, h, w, r, b};
            if (gates == CAIMI_GRU)
                caimi_gru_cell(net, &s, h);
            else if (gates == CAIMI_LSTM)
                caimi_lstm_cell(&s, h, c);
            else
                caimi_rnn_cell(net, &s, h);
            if (y) memcpy(y + t * net->y_step + n * net->y_batch, h, bytes);
        }
        if (last_h) memcpy(last_h + place, h, bytes);
        if (last_c) memcpy(last_c + place, c, bytes);
    }
}

void caimi_gru_f32(const caimi_recurrent *net, const float *x, const float *w, const float *r,
                   const float *b, const float *initial_h, float *y, float *h) {
    caimi_unroll(net, CAIMI_GRU, x, w, r, b, initial_h, NULL, y, h, NULL);
}

void caimi_lstm_f32(const caimi_recurrent *net, const float *x, const float *w, const float *r,
                    const float *b, const float *initial_h, const float *initial_c, float *y,
                    float *h, float *c) {
    caimi_unroll(net, CAIMI_LSTM, x, w, r, b, initial_h, initial_c, y, h, c);
}

void caimi_rnn_f32(const caimi_recurrent *net, const float *x, const float *w, const float *r,
                   const float *b, const float *initial_h, float *y, float *h) {
    caimi_unroll(net, CAIMI_RNN, x, w, r, b, initial_h, NULL, y, h, NULL);
}
