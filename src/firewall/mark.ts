/**
 * The mark of what we bring through the firewall, unless the configuration names another. As conntrack's mark it
 * tells an administrator's chains what to accept; as a packet mark it leads packets to our transparent sockets.
 */
export const DEFAULT_MARK = 0xf7

/** `247` gives `'0xf7'`, as nft and ip write it. */
export function hexMark(mark: number): string {
  return `0x${mark.toString(16)}`
}
