/*
 * Bytes that wait, and the sockets they come from and go to. Runs in the proxy; the bytes are
 * hostile and only moved.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy/parts.h"

#define BUFFER_FIRST 2048

void lp_buffer_clear(struct lp_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct lp_buffer){0};
}

/* Room for len bytes behind those that are there. */
static int make_room(struct lp_buffer *buffer, size_t len)
{
	size_t size = buffer->size ? buffer->size : BUFFER_FIRST;
	uint8_t *grown;

	if (len <= buffer->size - buffer->start - buffer->len)
		return 0;
	if (buffer->start) {
		memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->len);
		buffer->start = 0;
	}
	while (size < buffer->len + len)
		size *= 2;
	if (size == buffer->size)
		return 0;
	grown = realloc(buffer->bytes, size);
	if (!grown)
		return -ENOMEM;
	buffer->bytes = grown;
	buffer->size = (uint32_t)size;
	return 0;
}

int lp_buffer_add(struct lp_buffer *buffer, const void *bytes, size_t len)
{
	int r = make_room(buffer, len);

	if (r < 0 || len == 0)
		return r;
	memcpy(buffer->bytes + buffer->start + buffer->len, bytes, len);
	buffer->len += (uint32_t)len;
	return 0;
}

int lp_buffer_add_text(struct lp_buffer *buffer, const char *text)
{
	return lp_buffer_add(buffer, text, strlen(text));
}

int lp_buffer_addf(struct lp_buffer *buffer, const char *format, ...)
{
	lp_autofree char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return lp_buffer_add(buffer, text, (size_t)n);
}

void lp_buffer_drop(struct lp_buffer *buffer, size_t len)
{
	buffer->start += (uint32_t)len;
	buffer->len -= (uint32_t)len;
	if (!buffer->len)
		buffer->start = 0;
}

ssize_t lp_side_fill(struct lp_side *side, struct lp_buffer *buffer, size_t limit)
{
	size_t room = limit > buffer->len ? limit - buffer->len : 0;
	ssize_t n;
	int r;

	if (side->ended)
		return 0;
	if (!side->readable || !room)
		return -EAGAIN;
	/* little at first: most heads are short */
	if (!buffer->size && room > BUFFER_FIRST)
		room = BUFFER_FIRST;
	r = make_room(buffer, room);
	if (r < 0)
		return r;
	n = recv(side->fd, buffer->bytes + buffer->start + buffer->len, room, MSG_DONTWAIT);
	if (n > 0)
		buffer->len += (uint32_t)n;
	else if (n == 0)
		side->ended = true;
	else if (errno == EAGAIN)
		side->readable = false;
	return n < 0 ? -errno : n;
}

ssize_t lp_side_send(struct lp_side *side, struct lp_buffer *buffer, size_t len)
{
	ssize_t n;

	if (!side->writable)
		return -EAGAIN;
	n = send(side->fd, lp_buffer_bytes(buffer), len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		if (errno == EAGAIN)
			side->writable = false;
		return -errno;
	}
	lp_buffer_drop(buffer, (size_t)n);
	return n;
}

int lp_side_flush(struct lp_side *side, struct lp_buffer *buffer)
{
	while (buffer->len) {
		ssize_t n = lp_side_send(side, buffer, buffer->len);

		if (n < 0)
			return (int)n;
	}
	return 0;
}
