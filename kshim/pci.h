/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For main.c: see pci.c.
 */
#ifndef _KSHIM_PCI_H
#define _KSHIM_PCI_H

/* Regions, providers and nvmes can be made from here on. */
int kshim_pci_init(void);
/* With nobody inside the module: undoes everything that is left. */
void kshim_pci_exit(void);

#endif /* _KSHIM_PCI_H */
