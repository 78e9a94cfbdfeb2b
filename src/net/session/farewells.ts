/** What a client hears when its session ends at once. */
export const farewells = {
  operator: '421 The operator has ended this session.\r\n',
  error: '421 This proxy has a defect, see its log.\r\n',
} as const
