import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AuthenticateServerRequest,
  AuthenticateServerResponse,
  decode,
  encode,
  PrepareDownloadRequest,
  PrepareDownloadResponse,
} from '../../../host-sim/asn1/index.js';
import { cardAnswering } from '../../support/card.js';
import { FailingDownloads } from '../../support/failing.js';

// What the eUICC may answer in a download beside a yes (es10.md §4.5), each once and both ways: it goes to the server, which
// ends its session with it, to the eIM and into the log.

const sw = [0x6a80, 0x6a88, 0x6f00, 0x6985] as const;
const integer = (code: number) => `0201${code.toString(16).padStart(2, '0').toUpperCase()}`;
const word = (code: number) => code.toString(16).toUpperCase();

describe.each([
  ['direct', { direct: true }],
  ['indirect', {}],
] as const)('%s', (way, options) => {
  const direct = way === 'direct';
  let downloads: FailingDownloads;
  beforeAll(async () => {
    downloads = await FailingDownloads.make(options);
  });
  afterAll(() => downloads.world.stop());

  /** The eUICC gives this answer to requests of this tag, once or always. */
  const answering = (
    tag: number,
    answer: (request: Uint8Array) => Uint8Array | string | number,
    times = 1,
  ) => {
    let undo = () => {};
    return {
      before: () => {
        let left = times;
        undo = cardAnswering(downloads.world, (request) =>
          request[0] === 0xbf && request[1] === tag && left-- > 0 ? answer(request) : undefined,
        );
      },
      after: () => undo(),
    };
  };
  const reported = (errorResponse: string) => ({
    outcome: 'downloadFailed',
    ok: false,
    by: 'ipa',
    code: 127,
    name: 'undefinedError',
    errorResponse,
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 127] as const)('AuthenticateErrorCode %i', async (code) => {
    const refuse = (request: Uint8Array) =>
      encode(AuthenticateServerResponse, {
        authenticateResponseError: {
          transactionId: decode(AuthenticateServerRequest, request).serverSigned1.value.transactionId,
          authenticateErrorCode: code,
        },
      });
    const failed = await downloads.fail({}, answering(0x38, refuse));
    expect(failed.outcome).toEqual(reported(integer(code)));
    expect(failed.refused).toEqual(['authenticateClient 8.1/4.2']);
    expect(failed.failures).toEqual([`download: the eUICC refused the server with ${code}`]);
    // Neither side has a session any more.
    expect(failed.cancelled).toEqual([]);
    expect(failed.cancelledAtServer).toEqual([]);
    expect(failed.sent.includes('bf41')).toBe(false);
  });

  it.each([1, 2, 3, 4, 5, 127] as const)('DownloadErrorCode %i', async (code) => {
    const refuse = (request: Uint8Array) =>
      encode(PrepareDownloadResponse, {
        downloadResponseError: {
          transactionId: decode(PrepareDownloadRequest, request).smdpSigned2.value.transactionId,
          downloadErrorCode: code,
        },
      });
    const failed = await downloads.fail({}, answering(0x21, refuse));
    expect(failed.outcome).toEqual(reported(integer(code)));
    expect(failed.refused).toEqual(['getBoundProfilePackage 8.1/4.2']);
    expect(failed.failures).toEqual([`download: the eUICC refused the server with ${code}`]);
    // The server has ended its session, the eUICC had one still.
    expect(failed.cancelled).toEqual([127]);
    expect(failed.cancelledAtServer).toEqual([]);
  });

  it.each([5, 127])('CancelSession %i goes to the server as it is, which ends the session', async (code) => {
    const failed = await downloads.fail(
      { provoke: ['8.2.6/3.8'] },
      answering(0x41, () => `BF4103 8101${code.toString(16).padStart(2, '0')}`),
    );
    expect(failed.failures).toHaveLength(1);
    expect(failed.failures[0]).toMatch(/^download: .*(8\.2\.6 3\.8|refused AuthenticateClient with 6)/);
    expect(failed.cancelledAtServer).toEqual(['unsigned']);
  });

  it.each(sw)('AuthenticateServer with status word %i', async (status) => {
    const failed = await downloads.fail(
      {},
      answering(0x38, () => status),
    );
    expect(failed.outcome).toEqual(reported(word(status)));
    expect(failed.failures).toEqual([`download: ES10 function BF38 ended with ${word(status)}`]);
    expect(failed.cancelledAtServer).toEqual(['unsigned']);
  });

  it.each(sw)('PrepareDownload with status word %i', async (status) => {
    const failed = await downloads.fail(
      {},
      answering(0x21, () => status),
    );
    expect(failed.outcome).toEqual(reported(word(status)));
    expect(failed.failures).toEqual([`download: ES10 function BF21 ended with ${word(status)}`]);
    expect(failed.cancelled).toEqual([127]);
    expect(failed.cancelledAtServer).toEqual(['undefinedReason']);
  });

  it.each(sw)('LoadBoundProfilePackage with status word %i: loadBppExecutionError', async (status) => {
    const failed = await downloads.fail(
      {},
      answering(0x36, () => status),
    );
    expect(failed.outcome).toEqual(reported(word(status)));
    expect(failed.failures).toEqual([`download: ES10 function BF36 ended with ${word(status)}`]);
    expect(failed.cancelled).toEqual([5]);
    expect(failed.cancelledAtServer).toEqual(['loadBppExecutionError']);
  });

  it.each(sw)('CancelSession with status word %i does not hide the first failure', async (status) => {
    const failed = await downloads.fail(
      { provoke: ['8.2.6/3.8'] },
      answering(0x41, () => status),
    );
    expect(failed.failures).toHaveLength(2);
    expect(failed.failures[0]).toBe(`CancelSession: ES10 function BF41 ended with ${word(status)}`);
    expect(failed.failures[1]).toMatch(/^download: /);
  });

  it.each([
    ['AuthenticateServer', 0x38, 'BF3800'],
    ['AuthenticateServer', 0x38, 'BF3802A000'],
    ['AuthenticateServer', 0x38, 'BF2100'],
    ['PrepareDownload', 0x21, 'BF2100'],
    ['PrepareDownload', 0x21, 'BF2102A000'],
    ['LoadBoundProfilePackage', 0x36, 'BF3700'],
    ['LoadBoundProfilePackage', 0x36, '0102'],
  ])('%s (BF%i) with %s', async (_name, tag, answer) => {
    const failed = await downloads.fail(
      {},
      answering(tag, () => answer),
    );
    expect(failed.outcome).toMatchObject({ outcome: 'downloadFailed', code: 127 });
    expect(failed.failures.some((failure) => failure.startsWith('download: '))).toBe(true);
  });

  it('the next one works', async () => {
    await downloads.succeed();
    expect(downloads.world.http.requests.length > 0).toBe(direct);
  });
});
