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

/*
 * Whether there is hope for later. As many descriptors may be on their way as the user may have
 * open, and it takes memory: when that has passed, nothing tells.
 */
static bool must_wait(struct queue *queue, int r)
{
	queue->is_held_up = r == -ETOOMANYREFS || r == -ENOBUFS || r == -ENOMEM;
	return queue->is_held_up || r == -EAGAIN;
}

int lp_queue_send(struct queue *queue, const struct lp_packet *packet, int fd)
{
	int r;

	if (queue->first)
		return keep(queue, packet, fd);
	r = lp_packet_send(queue->socket, packet, fd);
	return must_wait(queue, r) ? keep(queue, packet, fd) : r;
}

static void drop_first(struct queue *queue)
{
	struct queued *item = queue->first;

	queue->first = item->next;
	queue->count--;
	close(item->fd);
	free(item);
}

void lp_queue_flush(struct queue *queue)
{
	while (queue->first && !must_wait(queue, lp_packet_send(queue->socket,
							 &queue->first->packet, queue->first->fd)))
		drop_first(queue);
}

void lp_queue_clear(struct queue *queue)
{
	while (queue->first)
		drop_first(queue);
}
