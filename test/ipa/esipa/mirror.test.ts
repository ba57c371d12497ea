import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as m from '../../../host-sim/asn1/index.js';
import {
  addInitialEim,
  appendNotifications,
  Es10,
  eachStoredResult,
  getAssociationToken,
  getEimConfigurationData,
  getEnabledIccid,
  getEuiccInfo2,
  isEmergencyProfileEnabled,
  listNotifications,
  readCapabilities,
  readPackageResult,
} from '../../../ipa/es10/index.js';
import {
  beginHandleNotification,
  beginReply,
  dispatch,
  readAcknowledgements,
  writeDataError,
  writeFault,
  writeGetEimPackageRequest,
  writeReceived,
} from '../../../ipa/esipa/index.js';
import { utf8 } from '../../../ipa/text.js';
import { Writer } from '../../../ipa/tlv/index.js';
import { toHex } from '../../hex.js';
import { copyMessage } from '../es10/copy.js';
import { FakeUicc } from '../es10/fake-uicc.js';
import * as a from './arbitrary.js';

// The two codecs know nothing of each other: what one writes the other must read, field by field, and write the same again.

const RUNS = { numRuns: 150 };
const to = new Writer(16, 65_536);

/** The simulator reads what the device wrote, sees `value`, and would have written the same bytes. */
function simulatorReads<T>(schema: m.Schema<T>, written: Writer, value: T): void {
  expect(m.decode(schema, written.bytes)).toEqual(value);
  expect(toHex(m.encode(schema, value))).toBe(toHex(written.bytes));
}

/** What the simulator wrote; the device's own cursor and writer come to the same bytes. */
function simulatorWrites<T>(schema: m.Schema<T>, value: T): Uint8Array {
  const bytes = m.encode(schema, value);
  expect(toHex(copyMessage(bytes))).toBe(toHex(bytes));
  expect(toHex(m.encode(schema, m.decode(schema, bytes)))).toBe(toHex(bytes));
  return bytes;
}

const card = (answer: Uint8Array) => new Es10(new FakeUicc(() => answer), { answerLimit: 65_536 });
const hexOf = (bytes: Uint8Array | undefined) => bytes && toHex(bytes);
const transaction = fc.option(a.transactionId, { nil: undefined });
const withTransaction = (eimTransactionId: Uint8Array | undefined) =>
  eimTransactionId ? { eimTransactionId } : {};

describe('the device writes, the simulator reads', () => {
  it('GetEimPackageRequest', () => {
    const cause = fc.option(a.stateChangeCause, { nil: undefined });
    const rPlmn = fc.option(a.plmn, { nil: undefined });
    fc.assert(
      fc.property(a.eid, cause, rPlmn, (eidValue, stateChangeCause, rPLMN) => {
        writeGetEimPackageRequest(to, eidValue, stateChangeCause, rPLMN);
        simulatorReads(m.GetEimPackageRequest, to, {
          eidValue,
          ...(stateChangeCause === undefined ? {} : { notifyStateChange: true, stateChangeCause }),
          ...(rPLMN ? { rPLMN } : {}),
        });
      }),
      RUNS,
    );
  });

  it('package results, with and without notifications, in both replies', () => {
    const notifications = fc.array(a.pendingNotification, { maxLength: 3 });
    fc.assert(
      fc.property(a.eid, a.packageResult, notifications, (eidValue, euiccPackageResult, notificationList) => {
        const result = m.encode(m.EuiccPackageResult, euiccPackageResult);
        const list = m.listOf(m.PendingNotification, 0xa0).write(notificationList);
        for (const reply of ['provide', 'transfer'] as const) {
          beginReply(to, reply, eidValue);
          if (notificationList.length > 0) to.begin(0x30);
          to.write(result);
          if (notificationList.length > 0) {
            to.write(list);
            to.end();
          }
          to.end();
          const eimPackageResult =
            notificationList.length > 0
              ? { ePRAndNotifications: { euiccPackageResult, notificationList } }
              : { euiccPackageResult };
          if (reply === 'provide')
            simulatorReads(m.ProvideEimPackageResult, to, { eidValue, eimPackageResult });
          else simulatorReads(m.TransferEimPackageResponse, to, eimPackageResult);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('faults, data errors, receipts', () => {
    const fault = fc.constantFrom(1, 2, 127);
    const dataError = fc.constantFrom(1, 5, 104, 127);
    fc.assert(
      fc.property(a.eid, fault, dataError, transaction, (eidValue, code, ipaEuiccDataErrorCode, txid) => {
        writeFault(to, 'provide', eidValue, code, txid);
        const eimPackageResultResponseError = { ...withTransaction(txid), eimPackageResultErrorCode: code };
        simulatorReads(m.ProvideEimPackageResult, to, {
          eidValue,
          eimPackageResult: { eimPackageResultResponseError },
        });
        writeFault(to, 'transfer', eidValue, code, txid);
        simulatorReads(m.TransferEimPackageResponse, to, { eimPackageError: code });

        const ipaEuiccDataResponse = {
          ipaEuiccDataResponseError: { ...withTransaction(txid), ipaEuiccDataErrorCode },
        };
        writeDataError(to, 'provide', eidValue, ipaEuiccDataErrorCode, txid);
        simulatorReads(m.ProvideEimPackageResult, to, {
          eidValue,
          eimPackageResult: { ipaEuiccDataResponse },
        });
        writeDataError(to, 'transfer', eidValue, ipaEuiccDataErrorCode, txid);
        simulatorReads(m.TransferEimPackageResponse, to, { ipaEuiccDataResponse });
      }),
      RUNS,
    );
    writeReceived(to);
    simulatorReads(m.TransferEimPackageResponse, to, { eimPackageReceived: true });
  });

  it('data responses', () => {
    fc.assert(
      fc.property(a.eid, a.dataResponse, (eidValue, ipaEuiccDataResponse) => {
        const response = simulatorWrites(m.IpaEuiccDataResponse, ipaEuiccDataResponse);
        beginReply(to, 'provide', eidValue);
        to.write(copyMessage(response));
        to.end();
        simulatorReads(m.ProvideEimPackageResult, to, {
          eidValue,
          eimPackageResult: { ipaEuiccDataResponse },
        });
      }),
      { numRuns: 60 },
    );
  });

  it('HandleNotification, from the list of the card', async () => {
    await fc.assert(
      fc.asyncProperty(a.pendingNotification, async (pendingNotification) => {
        const answer = m.encode(m.RetrieveNotificationsListResponse, {
          notificationList: [pendingNotification],
        });
        beginHandleNotification(to);
        await appendNotifications(card(answer), to);
        to.end();
        simulatorReads(m.HandleNotification, to, { pendingNotification });
      }),
      { numRuns: 50 },
    );
  });
});

describe('the simulator writes, the device reads', () => {
  it('packages, retrieved and injected', () => {
    fc.assert(
      fc.property(a.packageRequest, (euiccPackageRequest) => {
        const { eimId, counterValue, eimTransactionId, euiccPackage } =
          euiccPackageRequest.euiccPackageSigned.value;
        const body = toHex(m.encode(m.EuiccPackageRequest, euiccPackageRequest));
        for (const schema of [m.GetEimPackageResponse, m.TransferEimPackageRequest]) {
          const incoming = dispatch(
            simulatorWrites(schema as typeof m.GetEimPackageResponse, { euiccPackageRequest }),
          );
          expect({
            ...incoming,
            body: hexOf(incoming.body),
            eimId: incoming.eimId && utf8(incoming.eimId),
            eimTransactionId: hexOf(incoming.eimTransactionId),
          }).toEqual({
            reply: 'provide',
            envelope: schema.tag,
            kind: 'euiccPackage',
            tag: 0xbf51,
            body,
            code: 0,
            eimId,
            counterValue,
            eimTransactionId: hexOf(eimTransactionId),
            hasPsmo: 'psmoList' in euiccPackage && euiccPackage.psmoList !== undefined,
            mayRollBack:
              euiccPackage.psmoList?.some((psmo) => 'enable' in psmo && psmo.enable?.rollbackFlag) ?? false,
          });
        }
      }),
      RUNS,
    );
  });

  it('data requests', () => {
    fc.assert(
      fc.property(a.dataRequest, (ipaEuiccDataRequest) => {
        const message = simulatorWrites(m.GetEimPackageResponse, { ipaEuiccDataRequest });
        const { kind, body, eimTransactionId } = dispatch(message);
        expect(kind).toBe('dataRequest');
        expect(hexOf(body)).toBe(toHex(m.encode(m.IpaEuiccDataRequest, ipaEuiccDataRequest)));
        expect(hexOf(eimTransactionId)).toBe(hexOf(ipaEuiccDataRequest.eimTransactionId));
      }),
      RUNS,
    );
  });

  it('acknowledgements and errors', () => {
    fc.assert(
      fc.property(fc.array(a.seqNumber, { maxLength: 40 }), (eimAcknowledgements) => {
        for (const schema of [m.ProvideEimPackageResultResponse, m.TransferEimPackageRequest]) {
          const message = simulatorWrites(schema as typeof m.ProvideEimPackageResultResponse, {
            eimAcknowledgements,
          });
          const { kind, body } = dispatch(message);
          expect(kind).toBe('acknowledgements');
          expect(readAcknowledgements(body!)).toEqual(eimAcknowledgements);
        }
      }),
      RUNS,
    );
    for (const code of [1, 2, 3, 4, 127]) {
      const poll = simulatorWrites(m.GetEimPackageResponse, { eimPackageError: code });
      expect(dispatch(poll)).toMatchObject({ kind: 'error', code });
      const result = simulatorWrites(m.ProvideEimPackageResultResponse, {
        provideEimPackageResultError: code,
      });
      expect(dispatch(result)).toMatchObject({ kind: 'error', code });
    }
    expect(dispatch(simulatorWrites(m.ProvideEimPackageResultResponse, { emptyResponse: {} })).kind).toBe(
      'empty',
    );
  });

  it('eIM configurations', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(a.eimConfiguration, { maxLength: 3 }), async (list) => {
        const answer = simulatorWrites(m.GetEimConfigurationDataResponse, { eimConfigurationDataList: list });
        expect(await getEimConfigurationData(card(answer))).toMatchObject(
          list.map(({ eimId, eimFqdn, eimSupportedProtocol, indirectProfileDownload }) => ({
            eimId,
            eimFqdn,
            protocols: (eimSupportedProtocol ?? ['eimProprietary'])
              .map((name) => 0x80 >> m.ProtocolNames.indexOf(name))
              .reduce((sum, bit) => sum | bit, 0),
            indirectProfileDownload: indirectProfileDownload === true,
          })),
        );
        const token = await getAssociationToken(card(answer), 'any');
        const expected = list[0]?.associationToken;
        expect(hexOf(token)).toBe(expected === undefined ? undefined : toHex(m.tokenDo(expected)));
      }),
      RUNS,
    );
  });

  it('AddInitialEim: the configuration goes through, the token comes back', async () => {
    await fc.assert(
      fc.asyncProperty(
        a.eimConfiguration,
        fc.option(a.token, { nil: undefined }),
        async (configuration, token) => {
          const answer = simulatorWrites(m.AddInitialEimResponse, {
            addInitialEimOk: [token === undefined ? { addOk: true } : { associationToken: token }],
          });
          const uicc = new FakeUicc(() => answer);
          const given = m.EimConfigurationData.write(configuration);
          expect(await addInitialEim(new Es10(uicc), given)).toBe(token);
          expect(m.decode(m.AddInitialEimRequest, uicc.requests[0])).toEqual({
            eimConfigurationDataList: [configuration],
          });
        },
      ),
      RUNS,
    );
  });

  it('package results, and finding one among the stored', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(a.packageResult, { minLength: 1, maxLength: 3 }), async (results) => {
        for (const result of results) {
          const found = readPackageResult(simulatorWrites(m.EuiccPackageResult, result));
          const executed = result.euiccPackageResultSigned?.euiccPackageResultDataSigned.value;
          const refused = result.euiccPackageErrorSigned?.euiccPackageErrorDataSigned.value;
          const whole = executed ?? refused ?? result.euiccPackageErrorUnsigned;
          const done = executed?.euiccResult ?? [];
          const switched = done.some(
            (one) => one.enableResult === 0 || one.disableResult === 0 || one.rollbackResult === 0,
          );
          expect({
            ...found,
            eimId: found.eimId && utf8(found.eimId),
            eimTransactionId: hexOf(found.eimTransactionId),
          }).toEqual({
            kind: executed ? 'executed' : refused ? 'refused' : 'refusedUnsigned',
            eimId: whole?.eimId,
            eimTransactionId: hexOf(whole?.eimTransactionId),
            counterValue: (executed ?? refused)?.counterValue ?? -1,
            seqNumber: executed?.seqNumber ?? -1,
            profileChanged: switched,
            notifies: switched || done.some((one) => one.deleteResult === 0),
          });
        }
        const stored = simulatorWrites(m.RetrieveNotificationsListResponse, {
          euiccPackageResultList: results,
        });
        const found: string[] = [];
        const take = (result: Uint8Array) => found.push(toHex(result));
        await eachStoredResult(card(stored), new Writer(256, 65_536), take);
        expect(found).toEqual(results.map((result) => toHex(m.encode(m.EuiccPackageResult, result))));
      }),
      RUNS,
    );
  });

  it('profile lists', async () => {
    await fc.assert(
      fc.asyncProperty(a.profiles, async (profileInfoListOk) => {
        const answer = simulatorWrites(m.ProfileInfoListResponse, { profileInfoListOk });
        const enabled = profileInfoListOk.filter(({ profileState }) => profileState === 1);
        const iccid = await getEnabledIccid(card(answer));
        expect(hexOf(iccid)).toBe(hexOf(enabled.find((profile) => profile.iccid)?.iccid));
        expect(await isEmergencyProfileEnabled(card(answer))).toBe(
          enabled.some(({ ecallIndication }) => ecallIndication === true),
        );
      }),
      RUNS,
    );
  });

  it('notification lists', async () => {
    await fc.assert(
      fc.asyncProperty(a.notificationList, async (notificationMetadataList) => {
        const answer = simulatorWrites(m.ListNotificationResponse, { notificationMetadataList });
        const numbers = notificationMetadataList.map(({ seqNumber }) => seqNumber);
        expect(await listNotifications(card(answer))).toEqual(numbers.sort((x, y) => x - y));
      }),
      RUNS,
    );
  });

  it('EUICCInfo2', async () => {
    await fc.assert(
      fc.asyncProperty(a.euiccInfo2, async (info) => {
        const answer = simulatorWrites(m.EuiccInfo2, info);
        expect(readCapabilities(await getEuiccInfo2(card(answer)))).toEqual({
          iot: info.iotSpecificInfo !== undefined,
          ipaeActive: info.ipaMode === 1,
          ecallSupported: info.iotSpecificInfo?.ecallSupported === true,
          fallbackSupported: info.iotSpecificInfo?.fallbackSupported === true,
        });
      }),
      RUNS,
    );
  });
});
