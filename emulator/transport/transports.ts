/**
 * What carries operations between a guest's module and its store, and the QEMU devices for each.
 */
import type { ChardevSpec, DeviceSpec } from '@qemu-tmem/qmp';

/**
 * `ivshmem`: memory that both share, QEMU's ivshmem-doorbell. `virtio-serial`: frames over a port,
 * for machines that cannot share memory.
 */
export type Transport = 'ivshmem' | 'virtio-serial';

export const TRANSPORTS: readonly Transport[] = ['ivshmem', 'virtio-serial'];

/**
 * The port on which pages travel. It is the one port of a device of its own: two ports at most, of
 * which QEMU keeps number 0 for a console. guest-kmod/serial_find.c knows the device by both.
 */
const PORT_NAME = 'org.qemu-tmem.pages.0';
const PORTS_MAX = 2;
const PORT_NUMBER = 1;

/** Where a store listens for its guest's QEMU. */
export interface StoreAddress {
  readonly transport: Transport;
  readonly socketPath: string;
  /** Interrupt vectors that an ivshmem device must have. */
  readonly vectors: number;
}

/** The back end and devices that connect a machine to a store. */
export function storeDevices(store: StoreAddress): {
  readonly chardevs: readonly ChardevSpec[];
  readonly devices: readonly DeviceSpec[];
} {
  const chardev = 'tmem';
  const chardevs = [{ backend: 'socket', id: chardev, path: store.socketPath }];
  switch (store.transport) {
    case 'ivshmem':
      return {
        chardevs,
        devices: [{ driver: 'ivshmem-doorbell', chardev, vectors: store.vectors }],
      };
    case 'virtio-serial':
      return {
        chardevs,
        devices: [
          { driver: 'virtio-serial-pci', id: 'tmem-serial', max_ports: PORTS_MAX },
          {
            driver: 'virtserialport',
            bus: 'tmem-serial.0',
            nr: PORT_NUMBER,
            chardev,
            name: PORT_NAME,
          },
        ],
      };
  }
}
