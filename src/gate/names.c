/*
 * Which name an address stands for: the addresses that the resolver gave out, and those that the
 * hosts file gives names, since programs read that file themselves.
 *
 * Runs in the supervisor. The hosts file is the user's; what the resolver tells was checked there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "gate/parts.h"
#include "resolver/resolver.h"

#define HOSTS_FILE     "/etc/hosts"
#define HOSTS_FILE_MAX ((size_t)8 * 1024 * 1024)

struct hosts_entry {
	struct lp_address address;
	char *host;
};

static bool find_index(const struct lp_address *address, uint32_t *ret_index)
{
	static const uint8_t prefix[] = LP_RESOLVER_PREFIX;
	uint32_t ipv4;

	if (!lp_address_is_ipv4(address) && memcmp(address->bytes, prefix, sizeof(prefix)))
		return false;
	memcpy(&ipv4, address->bytes + 12, sizeof(ipv4));
	*ret_index = ntohl(ipv4) - LP_RESOLVER_FIRST;
	return *ret_index < LP_RESOLVER_COUNT;
}

int lp_names_add(struct names *names, const struct lp_address *address, const char *host)
{
	char canonical[LP_HOST_SIZE];
	uint32_t index;

	if (!find_index(address, &index) || lp_host_canonical(host, strlen(host), canonical) < 0)
		return -EPROTO;
	if (!names->hosts)
		names->hosts = calloc(LP_RESOLVER_COUNT, sizeof(*names->hosts));
	if (!names->hosts)
		return -ENOMEM;
	if (names->hosts[index]) /* for the whole run an address keeps its name */
		return strcmp(names->hosts[index], canonical) ? -EPROTO : 0;
	names->hosts[index] = strdup(canonical);
	return names->hosts[index] ? 0 : -ENOMEM;
}

bool lp_names_find(
	const struct names *names, const struct lp_address *address, const char **ret_host)
{
	uint32_t index;

	if (!find_index(address, &index))
		return false;
	*ret_host = names->hosts ? names->hosts[index] : NULL;
	return true;
}

static int add_file_entry(struct names *names, const struct lp_address *address, const char *word)
{
	char host[LP_HOST_SIZE];
	struct hosts_entry *grown;

	if (lp_host_canonical(word, strlen(word), host) < 0 || lp_host_is_address(host, NULL))
		return 0;
	grown = realloc(names->file, (names->file_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	names->file = grown;
	grown[names->file_count] = (struct hosts_entry){*address, strdup(host)};
	return grown[names->file_count].host ? (names->file_count++, 0) : -ENOMEM;
}

static void read_line(struct names *names, char *line)
{
	struct lp_address address;
	char host[LP_HOST_SIZE], *rest;
	char *word;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, " \t\r", &rest);
	if (!word || lp_host_canonical(word, strlen(word), host) < 0 ||
		!lp_host_is_address(host, &address))
		return;
	while ((word = strtok_r(NULL, " \t\r", &rest)))
		if (add_file_entry(names, &address, word) < 0)
			return;
}

static void read_hosts_file(struct names *names)
{
	lp_autofree char *text = NULL;
	size_t len;

	if (names->file_read)
		return;
	names->file_read = true;
	if (lp_read_file(AT_FDCWD, HOSTS_FILE, HOSTS_FILE_MAX, &text, &len) < 0)
		return;
	for (char *line = text, *end; line && *line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		read_line(names, line);
	}
}

const char *lp_names_from_file(struct names *names, const struct lp_policy *policy,
	const struct lp_address *address, unsigned port)
{
	const char *first = NULL;

	read_hosts_file(names);
	for (size_t i = 0; i < names->file_count; i++) {
		const char *host = names->file[i].host;

		if (memcmp(&names->file[i].address, address, sizeof(*address)) != 0)
			continue;
		if (lp_policy_may_connect(policy, host, port).allowed)
			return host;
		if (!first)
			first = host;
	}
	return first;
}

void lp_names_clear(struct names *names)
{
	for (size_t i = 0; names->hosts && i < LP_RESOLVER_COUNT; i++)
		free(names->hosts[i]);
	for (size_t i = 0; i < names->file_count; i++)
		free(names->file[i].host);
	free(names->hosts);
	free(names->file);
}
