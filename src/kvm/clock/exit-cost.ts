/**
 * What a VM exit and the host's work on it cost the guest, in virtual ns: about what hardware takes for a light exit
 * (kvm-unit-tests `vmexit` cpuid: 1200 to 2000 cycles). Were it nothing, guests that time exits would wait for ever.
 */
export const VM_EXIT_NS = 600;
