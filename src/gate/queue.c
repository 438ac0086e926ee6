/*
 * Packets to a helper that may be behind: what does not fit into its socket waits here, in order.
 *
 * Runs in the supervisor. How much waits is bounded: an agent that connects faster than the proxy
 * takes connections is refused then, and nobody else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate/parts.h"

#define QUEUE_MAX 4096

struct queued {
	struct queued *next;
	struct lp_packet packet;
	int fd;
};

static int keep(struct queue *queue, const struct lp_packet *packet, int fd)
{
	struct queued *item;

	if (queue->count >= QUEUE_MAX)
		return -ENOBUFS;
	item = malloc(sizeof(*item));
	if (!item)
		return -ENOMEM;
	*item = (struct queued){.packet = *packet, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
	if (item->fd < 0) {
		free(item);
		return -errno;
	}
	*(queue->first ? queue->last : &queue->first) = item;
	queue->last = &item->next;
	queue->count++;
	return 0;
}

int lp_queue_send(struct queue *queue, const struct lp_packet *packet, int fd)
{
	int r = queue->first ? -EAGAIN : lp_packet_send(queue->socket, packet, fd);

	/* ETOOMANYREFS: as many descriptors are on their way as the user may have open */
	return r == -EAGAIN || r == -ETOOMANYREFS ? keep(queue, packet, fd) : r;
}

static void drop_first(struct queue *queue)
{
	struct queued *item = queue->first;

	queue->first = item->next;
	queue->count--;
	close(item->fd);
	free(item);
}

bool lp_queue_flush(struct queue *queue)
{
	while (queue->first) {
		int r = lp_packet_send(queue->socket, &queue->first->packet, queue->first->fd);

		if (r == -EAGAIN || r == -ETOOMANYREFS)
			return true;
		drop_first(queue);
	}
	return false;
}

void lp_queue_clear(struct queue *queue)
{
	while (queue->first)
		drop_first(queue);
}
