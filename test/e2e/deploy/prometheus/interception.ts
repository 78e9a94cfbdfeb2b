import type { Network } from '../../../support/netns.ts'
import { runOrThrow } from '../../../support/programs.ts'

const main = new URL('../../../../dist/main.js', import.meta.url).pathname

/** `ftp-alg firewall --apply` on the gateway, as the manifests do it. */
export async function applyInterception(network: Network, config: string): Promise<void> {
  const script =
    'file=$(mktemp) && cat > "$file" && "$0" "$1" firewall --apply --config "$file" && rm "$file"'
  await runOrThrow(['sh', '-c', script, process.execPath, main], { place: network.gateway, input: config })
}
