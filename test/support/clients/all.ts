import type { FtpClient } from './client.ts'
import { curl } from './curl.ts'
import { lftp } from './lftp.ts'
import { ncftp } from './ncftp.ts'
import { basicFtp, ftplib } from './scripted.ts'
import { tnftp } from './tnftp.ts'
import { wget } from './wget.ts'

/** The clients in the order of every table about them. */
export const ftpClients: readonly FtpClient[] = [curl, lftp, tnftp, ncftp, wget, ftplib, basicFtp]
