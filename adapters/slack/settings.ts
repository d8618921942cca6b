import type { App } from "@slack/bolt";
import { shortened } from "#domain/shortened";
import {
  type ControlParts,
  earAt,
  firstBlock,
  openModal,
  type Spot,
  submitterOf,
  type Tell,
  updateModal,
} from "./presses.ts";
import { section } from "./sections.ts";
import {
  changesIn,
  loadingModal,
  noteOf,
  optionsFor,
  type SettingsNote,
  settingAction,
  settingsCallback,
  settingsModal,
  wordsModal,
} from "./settings-modal.ts";

/** True for a command that shows all settings: Slack has a form for them. */
export function isSettingsCommand(text: string): boolean {
  return /^\s*\/?(?:assistant\s+)?settings\s*$/i.test(text);
}

/** Opens the settings of a channel as a modal. To be called before anything is waited for. */
export async function openSettings(
  parts: ControlParts,
  at: {
    readonly triggerId: string;
    readonly spot: Spot;
    readonly isFromHome?: boolean;
    readonly tell: Tell;
  },
): Promise<void> {
  const viewId = await openModal(parts, { ...at, view: loadingModal() });
  if (viewId === undefined) return;
  const { arrivals, bot, log, policy } = parts;
  const { spot, isFromHome = false } = at;
  try {
    const isDirect = spot.channel.startsWith("D");
    const refusal = await policy.refusalOf({ ...spot, isDirect });
    if (refusal !== undefined) {
      await updateModal(parts, viewId, wordsModal("Settings", [section(refusal)]));
      return;
    }
    const panel = await bot().settings(await arrivals.presence(spot));
    await updateModal(parts, viewId, settingsModal(panel, { channel: spot.channel, isFromHome }));
  } catch (error) {
    log.warn({ platform: "slack", err: error }, "settings not shown");
    const words = section("The settings could not be read. Please try again in a moment.");
    await updateModal(parts, viewId, wordsModal("Settings", [words]));
  }
}

/** What happens in an open settings modal: long lists are looked up, and changes are saved. */
export function addSettings(
  app: App,
  parts: ControlParts,
  whenSaved: (spot: Spot) => Promise<void>,
): void {
  const { arrivals, bot, log, whispers, workspace } = parts;
  app.options(settingAction, async ({ ack, body, payload }) => {
    const { block_id: command, value, view } = payload as LookedUp;
    const note = noteOf(view?.private_metadata ?? "");
    if (!note) return ack({ options: [] });
    const presence = await arrivals.presence(submitterOf(body, workspace, note.channel));
    const panel = await bot().settings(presence);
    const field = panel.fields.find((one) => one.command === command);
    await ack({ options: optionsFor(field, value ?? "") });
  });
  app.view(settingsCallback, async ({ ack, body, view }) => {
    const note = noteOf(view.private_metadata);
    if (!note) return ack();
    const spot = submitterOf(body, workspace, note.channel);
    const { errors, saved } = await save(parts, { spot, view, note }).catch((error: unknown) => {
      log.warn({ platform: "slack", err: error }, "settings not saved");
      const words = "This could not be saved. Please try again in a moment.";
      return { errors: firstBlock(view, words), saved: [] };
    });
    if (Object.keys(errors).length > 0) {
      await ack({ response_action: "errors", errors });
      return;
    }
    await ack();
    if (note.isFromHome) await whenSaved(spot);
    else if (saved.length > 0) {
      const text = `Saved: ${saved.join(", ")}. It holds from the next message on.`;
      whispers.answer(earAt(spot), { ok: true, text });
    }
  });
}

/** Gives one command for each changed field; what is refused is said below its field. */
async function save(
  { arrivals, bot }: ControlParts,
  sent: {
    readonly spot: Spot;
    readonly view: { readonly id: string; readonly hash: string };
    readonly note: SettingsNote;
  },
): Promise<{ readonly errors: { [block: string]: string }; readonly saved: readonly string[] }> {
  const { spot, view, note } = sent;
  const { place, person, role } = await arrivals.presence(spot);
  const panel = await bot().settings({ place, person, role });
  const errors: { [block: string]: string } = {};
  const saved: string[] = [];
  for (const { field, value } of changesIn(view, panel, note)) {
    const answer = await bot().command({
      eventId: `slack:view:${view.id}:${view.hash}`,
      place,
      person,
      role,
      text: `${field.command} ${value}`,
      knowsThread: false,
    });
    if (answer.ok) saved.push(field.label);
    else errors[field.command] = shortened(answer.text.replaceAll("`", ""), 300);
  }
  return { errors, saved };
}

/** A select that looks its options up, as far as it is our business. */
interface LookedUp {
  readonly block_id?: string;
  readonly value?: string;
  readonly view?: { readonly private_metadata?: string };
}
