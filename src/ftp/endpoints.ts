/** An address and a port, as FTP names them. `address` is canonical text: `10.0.0.5`, `2001:db8::1`. */
export interface Endpoint {
  readonly address: string
  /** 1 to 65535. */
  readonly port: number
}
