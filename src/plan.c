#include "postgres.h"
#include "plan.h"
#include "parse.h"
MigPlan *mig_plan_build(const char *sql, const MigPlanContext *context)
{
	MigPlan *p = palloc0(sizeof(MigPlan)); ListCell *lc; int tx=1;
	p->direction = context->direction;
	foreach(lc, mig_parse(sql, "up")) { MigStatement *st = lfirst(lc); MigStep *s = palloc0(sizeof(MigStep));
		s->step = st->index; s->kind = MIG_STEP_SQL; s->statement = st->index; s->line = st->line; s->tx=tx; s->command = pstrdup(st->text);
		s->rows=s->bytes=s->estimate_ms=-1; s->state="pending";
		if (IsA(st->raw->stmt, IndexStmt) && ((IndexStmt*)st->raw->stmt)->concurrent) { IndexStmt *i=(IndexStmt*)st->raw->stmt; s->kind=MIG_STEP_CREATE_INDEX; s->alone=true; s->tx=++tx; tx++; s->object=psprintf("public.%s", i->idxname); s->relation=psprintf("public.%s", i->relation->relname);}
		p->steps = lappend(p->steps, s); }
	return p;
}
MigPlan *mig_plan_reverse(const MigPlan *plan, const MigPlanContext *context) { elog(ERROR,"x"); }
#include "fmgr.h"
PG_FUNCTION_INFO_V1(mig_plan);PG_FUNCTION_INFO_V1(mig_explain);PG_FUNCTION_INFO_V1(mig_plan_text);
Datum mig_plan(PG_FUNCTION_ARGS){PG_RETURN_NULL();} Datum mig_explain(PG_FUNCTION_ARGS){PG_RETURN_NULL();} Datum mig_plan_text(PG_FUNCTION_ARGS){PG_RETURN_NULL();}
