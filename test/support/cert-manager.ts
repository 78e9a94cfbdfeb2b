// cert-manager's own object, as far as our manifests use it: its models on npm want a newer Node.

import { z } from 'zod'

const duration = z.string().regex(/^([0-9]+(h|m|s))+$/)

/** @see https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec */
const certificate = z.strictObject({
  apiVersion: z.literal('cert-manager.io/v1'),
  kind: z.literal('Certificate'),
  metadata: z.strictObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z
    .strictObject({
      secretName: z.string().min(1),
      issuerRef: z.strictObject({
        name: z.string().min(1),
        kind: z.enum(['Issuer', 'ClusterIssuer']).optional(),
        group: z.string().optional(),
      }),
      commonName: z.string().max(64).optional(),
      dnsNames: z.array(z.string()).optional(),
      ipAddresses: z.array(z.string()).optional(),
      duration: duration.optional(),
      renewBefore: duration.optional(),
      usages: z
        .array(z.enum(['digital signature', 'key encipherment', 'server auth', 'client auth']))
        .optional(),
      privateKey: z
        .strictObject({
          algorithm: z.enum(['RSA', 'ECDSA', 'Ed25519']).optional(),
          size: z.union([z.literal(256), z.literal(384), z.literal(2048), z.literal(4096)]).optional(),
          encoding: z.enum(['PKCS1', 'PKCS8']).optional(),
          rotationPolicy: z.enum(['Never', 'Always']).optional(),
        })
        .optional(),
    })
    .refine(({ commonName, dnsNames = [], ipAddresses = [] }) => {
      return commonName !== undefined || dnsNames.length + ipAddresses.length > 0
    }, 'names nobody'),
})

export type ICertificate = z.input<typeof certificate>

/** Throws what is wrong. */
export function checkCertificate(object: object): void {
  certificate.parse(object)
}
