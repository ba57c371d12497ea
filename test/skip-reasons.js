/** A reporter of vitest that keeps the reason given to context.skip(): its JSON report has no field for it but `meta`. */
export default class SkipReasons {
  onTestCaseResult(test) {
    const { state, note } = test.result();
    if (state === 'skipped' && note) test.meta().skipReason = note;
  }
}
