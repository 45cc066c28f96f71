/*-------------------------------------------------------------------------
 *
 * graph.c
 *	  Which migration requires which, and what follows for order.
 *
 * The nodes stand in an array in version order, so that a version is found
 * by binary search, a tie is broken by comparing two numbers, and the next
 * lower version is the neighbour to the left.  Edges are two arrays of such
 * numbers, one from each node to what it requires, one back.  Everything is
 * iterative: a history is a chain, and one of 5,000 versions must not need
 * a stack of 5,000 frames.
 *
 * Pure: no locks, no catalog access, no memory outside the current context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/binaryheap.h"
#include "lib/stringinfo.h"

#include "graph.h"
#include "version.h"

/* A circle with more members than this is not printed whole. */
#define MAX_CIRCLE_SHOWN 12

typedef struct Edges
{
	int		   *start;			/* n + 1 entries: where the edges of a node begin */
	int		   *node;			/* the node at the other end */
} Edges;

struct MigGraph
{
	int			n;
	Migration **nodes;			/* in version order */
	const char **missing;		/* first requirement of a node that is not there, or NULL */
	Edges		parents;
	Edges		children;
};

static int
compare_nodes(const void *a, const void *b)
{
	return mig_version_cmp((*(Migration *const *) a)->version,
						   (*(Migration *const *) b)->version);
}

/* Position of a version, or -1. */
static int
index_of(const MigGraph *graph, const char *version)
{
	int			low = 0;
	int			high = graph->n - 1;

	while (low <= high)
	{
		int			middle = low + (high - low) / 2;
		int			cmp = mig_version_cmp(version, graph->nodes[middle]->version);

		if (cmp == 0)
			return middle;
		if (cmp < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return -1;
}

/* The edges to what each node requires; *previous is the last one in the order so far. */
static void
add_parents(MigGraph *graph, int i, int *previous, int *count)
{
	Migration  *migration = graph->nodes[i];
	Edges	   *parents = &graph->parents;
	ListCell   *lc;

	parents->start[i] = *count;
	if (migration->requires_written)
	{
		foreach(lc, migration->requires)
		{
			int			parent = index_of(graph, lfirst(lc));

			if (parent >= 0)
				parents->node[(*count)++] = parent;
			else if (graph->missing[i] == NULL)
				graph->missing[i] = lfirst(lc);
		}
	}
	else if (migration->in_order && *previous >= 0)
		parents->node[(*count)++] = *previous;

	if (migration->in_order)
		*previous = i;
}

/* The same edges, seen from the other end. */
static void
reverse_edges(int n, const Edges *from, Edges *to)
{
	int			total = from->start[n];
	int		   *next = palloc0_array(int, n + 1);

	to->start = palloc0_array(int, n + 1);
	to->node = palloc_array(int, total + 1);
	for (int e = 0; e < total; e++)
		to->start[from->node[e] + 1]++;
	for (int i = 0; i < n; i++)
	{
		to->start[i + 1] += to->start[i];
		next[i] = to->start[i];
	}
	for (int i = 0; i < n; i++)
		for (int e = from->start[i]; e < from->start[i + 1]; e++)
			to->node[next[from->node[e]]++] = i;
	pfree(next);
}

/*
 * mig_graph_make
 *		Index a list of Migration.  The migrations stay the caller's; the
 *		graph points to them.  A requirement that is not in the list is no
 *		error here, but in mig_graph_check and wherever it is needed.
 */
MigGraph *
mig_graph_make(List *migrations)
{
	MigGraph   *graph = palloc0_object(MigGraph);
	int			written = 0;
	int			previous = -1;
	int			count = 0;
	bool		sorted = true;
	ListCell   *lc;

	graph->nodes = palloc_array(Migration *, list_length(migrations) + 1);
	foreach(lc, migrations)
	{
		Migration  *migration = lfirst(lc);

		if (graph->n > 0 && compare_nodes(&graph->nodes[graph->n - 1], &migration) > 0)
			sorted = false;
		graph->nodes[graph->n++] = migration;
		written += migration->requires_written ? list_length(migration->requires) : 1;
	}
	if (!sorted)
		qsort(graph->nodes, graph->n, sizeof(Migration *), compare_nodes);

	graph->missing = palloc0_array(const char *, graph->n + 1);
	graph->parents.start = palloc0_array(int, graph->n + 1);
	graph->parents.node = palloc_array(int, written + 1);
	for (int i = 0; i < graph->n; i++)
		add_parents(graph, i, &previous, &count);
	graph->parents.start[graph->n] = count;
	reverse_edges(graph->n, &graph->parents, &graph->children);
	return graph;
}

/*
 * mig_graph_find
 *		The migration of that version, or NULL.  Versions whose keys are
 *		equal are the same one: "7" finds "0007".
 */
List *
mig_graph_all(MigGraph *graph)
{
	List	   *result = NIL;

	for (int i = 0; i < graph->n; i++)
		result = lappend(result, graph->nodes[i]);
	return result;
}

Migration *
mig_graph_find(MigGraph *graph, const char *version)
{
	int			i = index_of(graph, version);

	return i < 0 ? NULL : graph->nodes[i];
}

/*
 * mig_graph_get
 *		As mig_graph_find; 42704, with the nearest version as hint, when
 *		there is none.
 */
Migration *
mig_graph_get(MigGraph *graph, const char *version)
{
	Migration  *migration = mig_graph_find(graph, version);
	List	   *versions = NIL;
	const char *nearest;

	if (migration)
		return migration;

	for (int i = 0; i < graph->n; i++)
		versions = lappend(versions, graph->nodes[i]->version);
	nearest = mig_version_nearest(version, versions);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("migration \"%s\" does not exist", version),
			 nearest ? errhint("Perhaps you meant \"%s\".", nearest) :
			 graph->n == 0 ? errhint("No migration is registered here yet: see migrate.register, migrate.load, and the setting migrate.scope.") : 0));
	return NULL;				/* keep compiler quiet */
}

/* 55000 for the first requirement of a node that is not registered. */
static void
check_missing(const MigGraph *graph, int i)
{
	if (graph->missing[i])
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" requires \"%s\", which is not registered",
						graph->nodes[i]->version, graph->missing[i]),
				 errhint("Register \"%s\" first or in the same load, or take it out of what \"%s\" requires.",
						 graph->missing[i], graph->nodes[i]->version)));
}

/* The position of a node that the caller got from us. */
static int
index_of_node(const MigGraph *graph, const Migration *migration)
{
	int			i = index_of(graph, migration->version);

	if (i < 0)
		elog(ERROR, "migration \"%s\" is not in the graph", migration->version);
	return i;
}

/*
 * mig_graph_parents
 *		What a migration requires directly, written or not; each one once, in
 *		version order.  55000 if one is missing.
 */
List *
mig_graph_parents(MigGraph *graph, Migration *migration)
{
	int			i = index_of_node(graph, migration);
	List	   *numbers = NIL;
	List	   *result = NIL;
	ListCell   *lc;

	check_missing(graph, i);
	for (int e = graph->parents.start[i]; e < graph->parents.start[i + 1]; e++)
		numbers = list_append_unique_int(numbers, graph->parents.node[e]);
	list_sort(numbers, list_int_cmp);
	foreach(lc, numbers)
		result = lappend(result, graph->nodes[lfirst_int(lc)]);
	list_free(numbers);
	return result;
}

/*
 * mig_graph_heads
 *		The tips: members of the order that no other requires, written or
 *		not; in version order.
 */
List *
mig_graph_heads(MigGraph *graph)
{
	List	   *result = NIL;

	for (int i = 0; i < graph->n; i++)
		if (graph->nodes[i]->in_order &&
			graph->children.start[i] == graph->children.start[i + 1])
			result = lappend(result, graph->nodes[i]);
	return result;
}

/* Mark all that can be reached from the marked ones. */
static void
mark_reachable(const MigGraph *graph, const Edges *edges, bool *marked)
{
	int		   *stack = palloc_array(int, graph->n + 1);
	int			depth = 0;

	for (int i = 0; i < graph->n; i++)
		if (marked[i])
			stack[depth++] = i;
	while (depth > 0)
	{
		int			i = stack[--depth];

		for (int e = edges->start[i]; e < edges->start[i + 1]; e++)
		{
			int			other = edges->node[e];

			if (!marked[other])
			{
				marked[other] = true;
				stack[depth++] = other;
			}
		}
	}
	pfree(stack);
}

/* Lowest number on top. */
static int
compare_numbers(Datum a, Datum b, void *arg)
{
	int			x = DatumGetInt32(a);
	int			y = DatumGetInt32(b);

	return (x < y) - (x > y);
}

/*
 * Put the marked nodes into "result", each after what it requires among
 * them, and of those that could come next always the lowest version (Kahn's
 * algorithm with a heap).  Returns how many could be placed: fewer than are
 * marked if there is a circle.  What was placed is no longer marked.
 */
static int
place_marked(const MigGraph *graph, bool *marked, int *result)
{
	binaryheap *ready = binaryheap_allocate(graph->n + 1, compare_numbers, NULL);
	int		   *open = palloc0_array(int, graph->n + 1);
	int			placed = 0;

	for (int i = 0; i < graph->n; i++)
	{
		if (!marked[i])
			continue;
		for (int e = graph->parents.start[i]; e < graph->parents.start[i + 1]; e++)
			if (marked[graph->parents.node[e]])
				open[i]++;
		if (open[i] == 0)
			binaryheap_add_unordered(ready, Int32GetDatum(i));
	}
	binaryheap_build(ready);

	while (!binaryheap_empty(ready))
	{
		int			i = DatumGetInt32(binaryheap_remove_first(ready));

		marked[i] = false;
		result[placed++] = i;
		for (int e = graph->children.start[i]; e < graph->children.start[i + 1]; e++)
		{
			int			child = graph->children.node[e];

			if (marked[child] && --open[child] == 0)
				binaryheap_add(ready, Int32GetDatum(child));
		}
	}
	binaryheap_free(ready);
	pfree(open);
	return placed;
}

/*
 * Find a circle among marked nodes each of which requires a marked one, so
 * that walking upwards must end in one.  Fills parent[] along the way, and
 * returns the member of the circle with the highest version.
 */
static int
find_circle(const MigGraph *graph, const bool *marked, int *parent)
{
	bool	   *seen = palloc0_array(bool, graph->n);
	int			i = 0;
	int			highest;

	while (!marked[i])
		i++;
	while (!seen[i])
	{
		int			e = graph->parents.start[i];

		while (!marked[graph->parents.node[e]])
			e++;
		seen[i] = true;
		parent[i] = graph->parents.node[e];
		i = parent[i];
	}
	pfree(seen);

	highest = i;
	for (int j = parent[i]; j != i; j = parent[j])
		highest = Max(highest, j);
	return highest;
}

/*
 * 55000 naming a circle.  It is told from its highest version on; then the
 * last edge leads upwards in version order, hence is a written one, hence
 * can be dropped.
 */
static void
report_circle(const MigGraph *graph, const bool *marked)
{
	int		   *parent = palloc_array(int, graph->n);
	int			highest = find_circle(graph, marked, parent);
	int			i = highest;
	int			length = 0;
	int			implicit = -1;
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, graph->nodes[highest]->version);
	for (;;)
	{
		if (!graph->nodes[i]->requires_written && implicit < 0)
			implicit = i;
		length++;
		if (parent[i] == highest || length < MAX_CIRCLE_SHOWN)
			appendStringInfo(&path, " -> %s", graph->nodes[parent[i]]->version);
		else if (length == MAX_CIRCLE_SHOWN)
			appendStringInfoString(&path, " -> ...");
		if (parent[i] == highest)
			break;
		i = parent[i];
	}

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("requirements of migrations form a circle: %s", path.data),
			 implicit < 0 ? 0 :
			 errdetail("\"%s\" says nothing about what it requires, so it comes after the next lower version, \"%s\".",
					   graph->nodes[implicit]->version,
					   graph->nodes[parent[implicit]]->version),
			 errhint("Take \"%s\" out of what \"%s\" requires.",
					 graph->nodes[highest]->version, graph->nodes[i]->version)));
}

/* The marked nodes in order, as a list of Migration; errors as of mig_graph_check. */
static List *
order_marked(const MigGraph *graph, bool *marked)
{
	int		   *order = palloc_array(int, graph->n + 1);
	List	   *result = NIL;
	int			total = 0;
	int			placed;

	for (int i = 0; i < graph->n; i++)
		if (marked[i])
		{
			check_missing(graph, i);
			total++;
		}
	placed = place_marked(graph, marked, order);
	if (placed < total)
		report_circle(graph, marked);
	for (int i = 0; i < placed; i++)
		result = lappend(result, graph->nodes[order[i]]);
	pfree(order);
	return result;
}

/*
 * mig_graph_check
 *		55000 naming both for a requirement that is not registered; 55000
 *		naming the circle, and what to drop, for requirements that are
 *		circular, those that are not written included.
 */
void
mig_graph_check(MigGraph *graph)
{
	bool	   *marked = palloc_array(bool, graph->n + 1);

	memset(marked, true, sizeof(bool) * (graph->n + 1));
	list_free(order_marked(graph, marked));
	pfree(marked);
}

/*
 * mig_graph_order
 *		The migrations to reach "target" (NULL: all that are in the order),
 *		each after all that it requires, applied ones included; of those that
 *		could come next always the lowest version.  Errors: as of
 *		mig_graph_check, for what the target needs.
 */
List *
mig_graph_order(MigGraph *graph, Migration *target)
{
	bool	   *marked = palloc0_array(bool, graph->n + 1);

	if (target)
		marked[index_of_node(graph, target)] = true;
	else
		for (int i = 0; i < graph->n; i++)
			marked[i] = graph->nodes[i]->in_order;
	mark_reachable(graph, &graph->parents, marked);
	return order_marked(graph, marked);
}

/*
 * mig_graph_dependents
 *		All that require a migration, directly or not, the last one first:
 *		the order to undo them.  The migration itself is not among them.
 */
List *
mig_graph_dependents(MigGraph *graph, Migration *migration)
{
	bool	   *marked = palloc0_array(bool, graph->n + 1);
	int			self = index_of_node(graph, migration);
	List	   *ordered;
	List	   *result = NIL;

	marked[self] = true;
	mark_reachable(graph, &graph->children, marked);
	marked[self] = false;
	ordered = order_marked(graph, marked);
	for (int i = list_length(ordered) - 1; i >= 0; i--)
		result = lappend(result, list_nth(ordered, i));
	list_free(ordered);
	return result;
}
