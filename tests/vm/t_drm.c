// SPDX-License-Identifier: GPL-2.0-or-later
/* See t_drm.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "t.h"
#include "t_drm.h"

#if __has_include(<drm/drm.h>)
#include <drm/drm.h>

#define NR_MODES 64

static void drm_call(int fd, unsigned long request, void *arg, const char *what)
{
	if (ioctl(fd, request, arg))
		t_die("the graphics card: %s", what);
}

/* Show the frame buffer, or the part of it that the monitor has a mode for. */
static void drm_show(int fd, uint32_t fb, uint32_t width, uint32_t height)
{
	static struct drm_mode_modeinfo modes[NR_MODES];
	uint32_t crtc_id = 0, connector_id = 0;
	struct drm_mode_card_res res = {
		.crtc_id_ptr = (uintptr_t)&crtc_id,
		.count_crtcs = 1,
		.connector_id_ptr = (uintptr_t)&connector_id,
		.count_connectors = 1,
	};
	struct drm_mode_get_connector connector = {
		.modes_ptr = (uintptr_t)modes,
		.count_modes = NR_MODES,
	};
	struct drm_mode_crtc crtc = {
		.set_connectors_ptr = (uintptr_t)&connector_id,
		.count_connectors = 1,
		.fb_id = fb,
		.mode_valid = 1,
	};

	drm_call(fd, DRM_IOCTL_MODE_GETRESOURCES, &res, "its parts");
	connector.connector_id = connector_id;
	drm_call(fd, DRM_IOCTL_MODE_GETCONNECTOR, &connector, "its monitor");
	errno = 0;
	if (connector.count_modes > NR_MODES)
		t_die("too many modes");
	crtc.crtc_id = crtc_id;
	for (uint32_t i = 0; i < connector.count_modes; i++) {
		crtc.mode = modes[i];
		if (modes[i].hdisplay <= width && modes[i].vdisplay <= height) {
			drm_call(fd, DRM_IOCTL_MODE_SETCRTC, &crtc, "to show the buffer");
			return;
		}
	}
	t_die("no mode of at most %u * %u", width, height);
}

uint64_t t_drm_buffer(int fd, size_t length, bool shown)
{
	struct drm_mode_create_dumb create = {
		.width = T_PAGE / 4,
		.height = (length + T_PAGE - 1) / T_PAGE,
		.bpp = 32,
	};
	struct drm_mode_map_dumb map = { 0 };
	struct drm_mode_fb_cmd fb = { .bpp = 32, .depth = 24 };

	if (shown && create.height < 768)
		create.height = 768;
	drm_call(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create, "a new buffer");
	map.handle = create.handle;
	drm_call(fd, DRM_IOCTL_MODE_MAP_DUMB, &map, "to map the buffer");
	if (shown) {
		fb.width = create.width;
		fb.height = create.height;
		fb.pitch = create.pitch;
		fb.handle = create.handle;
		drm_call(fd, DRM_IOCTL_MODE_ADDFB, &fb, "a frame buffer");
		drm_show(fd, fb.fb_id, fb.width, fb.height);
	}
	return map.offset;
}
#else
uint64_t t_drm_buffer(int fd, size_t length, bool shown)
{
	(void)fd, (void)length, (void)shown;
	errno = 0;
	t_die("built without <drm/drm.h>");
}
#endif
