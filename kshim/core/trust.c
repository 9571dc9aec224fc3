// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trusted host bridges: see trust.h.
 */
#include "trust.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Four digits; where they end, or NULL. The end of the text is no digit. */
static const char *parse_u16(const char *text, u16 *ret_value)
{
	unsigned int i, value = 0;
	int digit;

	for (i = 0; i < 4; i++) {
		digit = digit_value(text[i]);
		if (digit < 0)
			return NULL;
		value = value << 4 | (unsigned int)digit;
	}
	*ret_value = (u16)value;
	return text + 4;
}

static const char *parse_bridge(const char *text, u16 *ret_vendor, u16 *ret_device)
{
	text = parse_u16(text, ret_vendor);
	if (!text || *text != ':' || !*ret_vendor || *ret_vendor == 0xffff)
		return NULL;
	return parse_u16(text + 1, ret_device);
}

int kshim_trust_parse(const char *text, struct kshim_trust *ret_trust)
{
	struct kshim_trust trust = { 0 };
	u16 vendor, device;

	text = skip_blanks(text);
	while (*text) {
		text = parse_bridge(text, &vendor, &device);
		if (!text)
			return -EINVAL;
		if (trust.nr == KSHIM_TRUST_MAX)
			return -E2BIG;
		trust.bridge[trust.nr].vendor = vendor;
		trust.bridge[trust.nr].device = device;
		trust.nr++;
		if (*text != ',') {
			text = skip_blanks(text);
			break;
		}
		/* a comma wants another one */
		if (!*++text)
			return -EINVAL;
	}
	if (*text)
		return -EINVAL;
	*ret_trust = trust;
	return 0;
}

bool kshim_trust_has(const struct kshim_trust *trust, u16 vendor, u16 device)
{
	u32 i;

	for (i = 0; i < trust->nr; i++)
		if (trust->bridge[i].vendor == vendor &&
		    trust->bridge[i].device == device)
			return true;
	return false;
}
