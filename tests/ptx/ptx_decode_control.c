/* ptx_decode_control.c - branches, calls, barriers, and what lanes of a warp do together. */
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_decode.h"

void ptx_decode_brx(struct ptx_parser *p, struct ptx_parts *parts)
{
	uint32_t table;
	bool is_idx = ptx_take(parts, "idx");
	(void)ptx_take(parts, "uni");
	ptx_end_parts(p, parts);
	if (!is_idx)
		ptx_refuse_parts(p, parts);
	uint32_t a = ptx_read_source(p, 'w', PTX_TEMP);
	ptx_expect(p, ",");
	const struct ptx_token *name = ptx_next(p);
	if (ptx_named(p, name, &table)->kind != PTX_SYMBOL_TABLE)
		ptx_refuse(p, name, "%.*s is no list of .branchtargets", (int)name->bytes, name->text);
	ptx_emit_value(p, PTX_brx, 0, a, 0, 0)->e = table;
}

static uint32_t read_spans(struct ptx_parser *p, struct ptx_span *spans, uint32_t most)
{
	uint32_t count = 0, unused;
	while (!ptx_accept(p, ")")) {
		if (count)
			ptx_expect(p, ",");
		const struct ptx_token *name = ptx_next(p);
		const struct ptx_symbol *s = ptx_named(p, name, &unused);
		if (s->kind != PTX_SYMBOL_VARIABLE || s->space != PTX_CALL_PARAM || count == most)
			ptx_refuse(p, name, "%.*s is no parameter of a call", (int)name->bytes, name->text);
		spans[count++] = (struct ptx_span){(uint32_t)s->offset, (uint32_t)s->size};
	}
	return count;
}

/* call{.uni} (result), name, (a, b); */
void ptx_decode_call(struct ptx_parser *p, struct ptx_parts *parts)
{
	struct ptx_function *f = p->function;
	struct ptx_call call = {0};
	(void)ptx_take(parts, "uni");
	ptx_end_parts(p, parts);
	if (ptx_accept(p, "(")) {
		call.to_count = read_spans(p, call.to, sizeof call.to / sizeof *call.to);
		ptx_expect(p, ",");
	}
	const struct ptx_token *name = ptx_next(p);
	call.callee = ptx_function_find(p, name);
	if (!call.callee || call.callee->is_entry)
		ptx_refuse(p, name, "no .func %.*s is declared before this call", (int)name->bytes, name->text);
	if (ptx_accept(p, ",")) {
		ptx_expect(p, "(");
		call.from_count = read_spans(p, call.from, sizeof call.from / sizeof *call.from);
	}
	f->call_sites = realloc(f->call_sites, (f->call_count + 1) * sizeof *f->call_sites);
	if (!f->call_sites)
		abort();
	f->call_sites[f->call_count] = call;
	ptx_emit(p, PTX_call)->e = f->call_count++;
}

/* bar / barrier{.cta}.{sync|arrive|red.OP}{.aligned}{.pred|.u32}; bar.warp.sync. `bar` is aligned by itself. */
void ptx_decode_barrier(struct ptx_parser *p, struct ptx_parts *parts)
{
	struct ptx_insn barrier = {.op = PTX_barrier, .line = parts->token->line};
	bool is_bar = parts->bytes[0] == 3;
	if (is_bar && ptx_take(parts, "warp")) {
		if (!ptx_take(parts, "sync") || parts->next != parts->count)
			ptx_refuse_parts(p, parts);
		uint32_t mask = ptx_read_source(p, 'w', PTX_TEMP);
		struct ptx_insn *insn = ptx_emit(p, PTX_warp);
		insn->mode = PTX_WARP_BAR;
		insn->e = mask;
		return;
	}
	(void)ptx_take(parts, "cta");
	bool is_red = ptx_take(parts, "red");
	barrier.mode = is_red			   ? (ptx_take(parts, "popc")  ? PTX_BAR_POPC
						      : ptx_take(parts, "and") ? PTX_BAR_AND
						      : ptx_take(parts, "or")  ? PTX_BAR_OR
									       : 255)
		       : ptx_take(parts, "sync")   ? PTX_BAR_SYNC
		       : ptx_take(parts, "arrive") ? PTX_BAR_ARRIVE
						   : 255;
	barrier.flags = ptx_take(parts, "aligned") || is_bar ? PTX_ALIGNED : 0;
	if (barrier.mode == 255 || (is_red && !ptx_take(parts, barrier.mode == PTX_BAR_POPC ? "u32" : "pred")))
		ptx_refuse_parts(p, parts);
	ptx_end_parts(p, parts);
	if (is_red) {
		barrier.d = ptx_read_dest(p, barrier.mode == PTX_BAR_POPC ? 'w' : 'p');
		ptx_expect(p, ",");
	}
	barrier.a = ptx_read_source(p, 'w', PTX_TEMP);
	barrier.b = PTX_ZERO;
	/* the last operand of red is the predicate; a count may stand before it */
	if (!is_red ? ptx_accept(p, ",") : ptx_token_is(p->at + 2, ",")) {
		if (is_red)
			ptx_expect(p, ",");
		barrier.b = ptx_read_source(p, 'w', PTX_TEMP2);
	}
	if (is_red) {
		ptx_expect(p, ",");
		barrier.c = ptx_read_source(p, 'p', PTX_TEMP3);
	}
	if (barrier.mode == PTX_BAR_ARRIVE && barrier.b == PTX_ZERO)
		ptx_refuse_parts(p, parts);
	*ptx_emit(p, barrier.op) = barrier;
}

/* shfl, vote, match and redux .sync: value operands, then the mask. */
void ptx_decode_warp(struct ptx_parser *p, struct ptx_parts *parts)
{
	static const char *const texts[] = {
#define X(name, text) text,
	    PTX_WARP_LIST(X)
#undef X
	};
	struct ptx_insn warp = {.op = PTX_warp, .line = parts->token->line, .offset = PTX_SINK};
	const struct ptx_token *t = parts->token;
	for (warp.mode = PTX_WARP_SHFL_UP; warp.mode < PTX_WARP_MODES; warp.mode++) {
		const char *at = strstr(texts[warp.mode], " ");
		size_t n = at ? (size_t)(at - texts[warp.mode]) : strlen(texts[warp.mode]);
		if ((t->bytes == n && !memcmp(texts[warp.mode], t->text, n)) ||
		    (at && t->bytes == strlen(at + 1) && !memcmp(at + 1, t->text, t->bytes)))
			break;
	}
	if (warp.mode == PTX_WARP_MODES)
		ptx_refuse_parts(p, parts);
	bool is_shfl = warp.mode <= PTX_WARP_SHFL_IDX, is_vote = !is_shfl && warp.mode <= PTX_WARP_VOTE_BALLOT;
	bool is_match_all = warp.mode == PTX_WARP_MATCH_ALL32 || warp.mode == PTX_WARP_MATCH_ALL64;
	bool is_wide = warp.mode == PTX_WARP_MATCH_ANY64 || warp.mode == PTX_WARP_MATCH_ALL64;
	warp.d = ptx_read_dest(p, is_vote && warp.mode != PTX_WARP_VOTE_BALLOT ? 'p' : 'w');
	if ((is_shfl || is_match_all) && ptx_accept(p, "|"))
		warp.offset = ptx_read_dest(p, 'p');
	ptx_expect(p, ",");
	warp.a = ptx_read_source(p, is_vote ? 'p' : is_wide ? 'd' : 'w', PTX_TEMP);
	ptx_expect(p, ",");
	if (is_shfl) {
		warp.b = ptx_read_source(p, 'w', PTX_TEMP2);
		ptx_expect(p, ",");
		warp.c = ptx_read_source(p, 'w', PTX_TEMP3);
		ptx_expect(p, ",");
	}
	warp.e = ptx_read_source(p, 'w', PTX_TEMP3);
	*ptx_emit(p, warp.op) = warp;
}

void ptx_decode_sleep(struct ptx_parser *p, struct ptx_parts *parts)
{
	if (!ptx_take(parts, "u32"))
		ptx_refuse_parts(p, parts);
	ptx_end_parts(p, parts);
	ptx_emit(p, PTX_sleep)->a = ptx_read_source(p, 'w', PTX_TEMP);
}

void ptx_decode_active(struct ptx_parser *p, struct ptx_parts *parts)
{
	if (!ptx_take(parts, "b32"))
		ptx_refuse_parts(p, parts);
	ptx_end_parts(p, parts);
	uint32_t d = ptx_read_dest(p, 'w');
	ptx_emit(p, PTX_active)->d = d;
}

/* Hints to a cache, with an address that is not looked at. */
void ptx_decode_prefetch(struct ptx_parser *p, struct ptx_parts *parts)
{
	enum ptx_space space = ptx_take_space(parts);
	uint32_t slot;
	int64_t offset;
	if (!ptx_take(parts, "L1") && !ptx_take(parts, "L2"))
		ptx_refuse_parts(p, parts);
	ptx_end_parts(p, parts);
	ptx_read_address(p, &space, &slot, &offset);
	ptx_emit(p, PTX_nothing);
}

void ptx_decode_simple(struct ptx_parser *p, struct ptx_parts *parts)
{
	if (ptx_take(parts, "uni") && parts->bytes[0] != 3)
		ptx_refuse_parts(p, parts);
	ptx_end_parts(p, parts);
	ptx_emit(p, parts->at[0][0] == 'e' ? PTX_exit : parts->at[0][0] == 'r' ? PTX_ret : PTX_trap);
}
