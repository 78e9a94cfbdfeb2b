// The section `log` of the file.

import { z } from 'zod'
import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'
import { choiceField, choiceOfShapes, section, textField, untilRestart } from './field.ts'

export const filePathForm: TextForm<string> = {
  name: 'file',
  allowed: 'an absolute path such as /var/log/ftp-alg/transfers.log',
  pattern: '^/.*[^/]$',
  parse: parseFilePath,
}

export const logSchema = section(
  {
    level: choiceField(
      ['debug', 'info', 'warn', 'error'],
      'The least important lines that are written.',
    ).prefault('info'),
    format: untilRestart(
      choiceField(['json', 'pretty'], 'One JSON object a line, or lines for people.').prefault('json'),
    ),
    transfers: choiceOfShapes(
      [
        section(
          {
            file: textField(filePathForm, 'Where to; reopened on SIGUSR2 and on SIGHUP.'),
            format: choiceField(
              ['json', 'xferlog'],
              'One JSON object for each file, or the lines of wu-ftpd that classic tools read.',
            ).prefault('json'),
          },
          'One line for each file.',
        ),
        z.literal(false),
        z.null(),
      ],
      {
        description: 'One line for each file that was transferred, in a file of its own; false for none.',
        kind: 'map or false',
        allowed: 'a map of file and format, or false',
      },
    )
      .prefault(false)
      .transform((transfers) => transfers || null),
  },
  'The log, on standard output.',
)

/** Relative paths would depend on where the process was started. */
function parseFilePath(text: string): Parsed<string> {
  if (!text.startsWith('/')) return refuse('is not an absolute path')
  if (text.endsWith('/')) return refuse('names a folder')
  return text.includes('\0') ? refuse('has a NUL character') : accept(text)
}
