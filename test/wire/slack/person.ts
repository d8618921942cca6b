import type {
  BlockAction,
  BlockSuggestion,
  GlobalShortcut,
  MessageShortcut,
  SlashCommand,
  ViewClosedAction,
  ViewOutput,
  ViewSubmitAction,
} from "@slack/bolt";
import { type FormValues, filledState, findControl } from "./controls.ts";
import type { Delivery, Dispatcher } from "./delivery.ts";
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "./json.ts";
import type { ServerParts } from "./methods/method.ts";
import { setSession } from "./methods/sessions.ts";
import { changeView, faultsOfView, pushView } from "./methods/views.ts";
import type {
  Installation,
  SlackChannel,
  SlackFile,
  SlackMessage,
  SlackUser,
  SlackView,
} from "./model.ts";
import { messagePayload } from "./payloads.ts";
import { wordsOf } from "./rendering.ts";
import { type SeenMessage, type SeenView, seenMessages, seenView } from "./seen.ts";
import { currentState } from "./stream-state.ts";

/** A file a person drops into a message. */
export interface DroppedFile {
  readonly name: string;
  readonly bytes: Uint8Array | string;
  readonly mimeType?: string;
  readonly mode?: SlackFile["mode"];
  readonly needsFileInfo?: boolean;
  readonly download?: SlackFile["download"];
}

/** Where and with what a person writes. */
export interface PostOptions {
  readonly threadTs?: string;
  readonly files?: readonly DroppedFile[];
  /** "Also send to the channel." */
  readonly broadcast?: boolean;
  /** Overrides the app's setting for this one message. */
  readonly mentionCarriesFiles?: boolean;
}

/** How something a person did was taken by the app. */
export interface ActResult {
  readonly delivery: Delivery;
  /** `failed`: nobody acknowledged within three seconds, and the person was told so. */
  readonly status: "acknowledged" | "failed";
}

/** How a submitted modal went. */
export interface SubmitResult {
  readonly delivery: Delivery;
  readonly status: "closed" | "errors" | "updated" | "pushed" | "cleared" | "failed";
}

/** What a person needs of the server. */
export interface PersonParts extends ServerParts {
  readonly dispatcher: Dispatcher;
}

/** A person at their Slack client: what they do, and what they see. */
export class Person {
  readonly user: SlackUser;
  readonly #parts: () => PersonParts;

  constructor(user: SlackUser, parts: () => PersonParts) {
    this.user = user;
    this.#parts = parts;
  }

  get id(): string {
    return this.user.id;
  }

  get name(): string {
    return this.user.name;
  }

  /** Writes a message. Throws when they are not in the channel. */
  posts(channel: SlackChannel, text: string, options: PostOptions = {}): SlackMessage {
    const { world, feed, settings } = this.#parts();
    if (!channel.members.has(this.id)) throw new Error(`${this.name} is not in #${channel.name}`);
    const files = (options.files ?? []).map((file) => this.#drop(file));
    const message = world.addMessage({
      channelId: channel.id,
      teamId: channel.teamId,
      userId: this.id,
      text,
      threadTs: options.threadTs,
      files,
      isBroadcast: options.broadcast ?? false,
      botId: this.user.botId,
      subtype: this.#subtypeOf(options),
    });
    feed.posted(message, options.mentionCarriesFiles ?? settings.mentionCarriesFiles);
    return message;
  }

  /** Writes a message that begins with a mention of the bot. */
  mentions(channel: SlackChannel, text: string, options: PostOptions = {}): SlackMessage {
    const { world } = this.#parts();
    const bot = world.installationIn(channel) ?? this.#installation();
    return this.posts(channel, `<@${bot.botUserId}> ${text}`, options);
  }

  /** Writes to the bot in their direct conversation. */
  directMessage(text: string, options: PostOptions = {}): SlackMessage {
    return this.posts(this.directChannel(), text, options);
  }

  /** Their direct conversation with the bot, opened when there was none. */
  directChannel(): SlackChannel {
    const { world } = this.#parts();
    return world.directChannel(this.user.teamId, [this.#installation().botUserId, this.id]);
  }

  edits(message: SlackMessage, text: string): void {
    const { world, feed } = this.#parts();
    this.#mustOwn(message);
    const previous = messagePayload(world, message);
    const mentioned = new Set(message.notified);
    message.text = text;
    message.edited = { userId: this.id, ts: world.ts() };
    world.notify(message);
    feed.changed(message, previous);
    const bot = world.installationIn(world.channel(message.channelId));
    if (bot && !mentioned.has(bot.botUserId) && message.notified.has(bot.botUserId)) {
      feed.mentionAdded(message);
    }
  }

  /** Deletes a message; a root with replies leaves "This message was deleted." behind. */
  deletes(message: SlackMessage): void {
    const { world, feed } = this.#parts();
    this.#mustOwn(message);
    const { messages } = world.channel(message.channelId);
    if (world.replies(message).length > 0) {
      const previous = messagePayload(world, message);
      message.subtype = "tombstone";
      message.text = "This message was deleted.";
      message.files = [];
      feed.changed(message, previous);
      return;
    }
    messages.splice(messages.indexOf(message), 1);
    feed.deleted(message);
  }

  reacts(message: Pick<SlackMessage, "ts" | "channelId">, name: string): void {
    const { feed } = this.#parts();
    const found = this.#message(message);
    const users = found.reactions.get(name) ?? [];
    if (users.includes(this.id)) return;
    found.reactions.set(name, [...users, this.id]);
    feed.reaction("reaction_added", { userId: this.id, name, message: found });
  }

  takesBackReaction(message: Pick<SlackMessage, "ts" | "channelId">, name: string): void {
    const { feed } = this.#parts();
    const found = this.#message(message);
    const left = (found.reactions.get(name) ?? []).filter((id) => id !== this.id);
    if (left.length > 0) found.reactions.set(name, left);
    else found.reactions.delete(name);
    feed.reaction("reaction_removed", { userId: this.id, name, message: found });
  }

  /**
   * Presses a button of a message, the Home tab or the open modal, by its words (or action id or
   * value); with `chosen`, picks that option of a select instead.
   */
  async presses(
    where: Pick<SeenMessage, "ts"> | "home" | "modal",
    words: string,
    chosen?: string,
  ): Promise<ActResult> {
    const delivery =
      where === "home" || where === "modal"
        ? this.#pressInView(where, words, chosen)
        : this.#pressInMessage(where.ts, words, chosen);
    return await this.#awaitAct(delivery);
  }

  /** Types into an external select of the open modal; gives the words of the options offered. */
  async looksUp(actionId: string, query: string): Promise<readonly string[]> {
    const { world, dispatcher, settings } = this.#parts();
    const view = this.#topView();
    const { action } = this.#control(objectsAt(view.content, "blocks"), actionId, undefined);
    const payload: BlockSuggestion = {
      type: "block_suggestion",
      user: { id: this.id, name: this.name, team_id: this.user.teamId },
      container: { type: "view", view_id: view.id },
      api_app_id: world.appId,
      token: settings.verificationToken,
      action_id: actionId,
      block_id: textAt(action, "block_id") ?? "",
      value: query,
      team: this.#team(),
      view: this.#viewOutput(view, {}),
      is_enterprise_install: false,
    };
    const answer = answerOf(await dispatcher.send("interactive", { ...payload }).finished);
    const options = objectsAt(answer, "options");
    const grouped = objectsAt(answer, "option_groups").flatMap((one) => objectsAt(one, "options"));
    const offered = [...options, ...grouped];
    if (offered.length > 100) throw new Error("a select offers at most 100 options");
    return offered.map(wordsOf);
  }

  /** Fills in and submits the modal on top. */
  async submits(values: FormValues = {}): Promise<SubmitResult> {
    const { world, dispatcher, interactions } = this.#parts();
    const view = this.#topView();
    if (!isObject(view.content.submit)) throw new Error("the modal has no button to submit it");
    const state = filledState(objectsAt(view.content, "blocks"), values);
    const payload: ViewSubmitAction = {
      type: "view_submission",
      team: this.#team(),
      user: { id: this.id, name: this.name, team_id: this.user.teamId },
      api_app_id: world.appId,
      token: this.#parts().settings.verificationToken,
      trigger_id: interactions.newTrigger({
        userId: this.id,
        teamId: view.teamId,
        viewId: view.id,
      }),
      view: this.#viewOutput(view, state),
      response_urls: [],
      is_enterprise_install: false,
    };
    const delivery = await dispatcher.send("interactive", { ...payload }).finished;
    return { delivery, status: this.#afterSubmit(view, delivery) };
  }

  /** Closes the modal on top; with `all`, every modal at once. */
  async closesModal(all = false): Promise<void> {
    const { world, dispatcher, settings } = this.#parts();
    const view = this.#topView();
    const stack = world.modalStacks.get(this.id) ?? [];
    world.modalStacks.set(this.id, all ? [] : stack.slice(0, -1));
    if (view.content.notify_on_close !== true) return;
    const payload: ViewClosedAction = {
      type: "view_closed",
      team: this.#team(),
      user: { id: this.id, name: this.name, team_id: this.user.teamId },
      api_app_id: world.appId,
      token: settings.verificationToken,
      view: this.#viewOutput(view, {}),
      is_cleared: all,
      is_enterprise_install: false,
    };
    await dispatcher.send("interactive", { ...payload }).finished;
  }

  /** Types a slash command into the channel's composer. Slack has none in threads. */
  async types(line: string, channel: SlackChannel): Promise<ActResult> {
    const { world, dispatcher, interactions, settings } = this.#parts();
    const [command = "", ...words] = line.split(" ");
    if (!settings.commands.has(command)) throw new Error(`${command} is not a valid command.`);
    const team = world.team(this.user.teamId);
    const target = {
      channelId: channel.id,
      userId: this.id,
      originalTs: undefined,
      isEphemeral: true,
    };
    const payload: SlashCommand = {
      token: settings.verificationToken,
      team_id: team.id,
      team_domain: team.domain,
      channel_id: channel.id,
      channel_name: channel.type === "group" ? "privategroup" : channel.name,
      user_id: this.id,
      user_name: this.name,
      command,
      text: words.join(" "),
      api_app_id: world.appId,
      is_enterprise_install: "false",
      response_url: interactions.newResponseUrl(target),
      trigger_id: interactions.newTrigger({ userId: this.id, teamId: team.id }),
    };
    const delivery = await dispatcher.send("slash_commands", { ...payload }).finished;
    const answer = answerOf(delivery);
    if (typeof answer === "string" && answer !== "") interactions.show(target, { text: answer });
    if (isObject(answer) && (textAt(answer, "text") || Array.isArray(answer.blocks))) {
      interactions.show(target, answer);
    }
    return await this.#tellFailure(delivery, channel);
  }

  /** Uses a shortcut: on a message when one is given, from the search bar otherwise. */
  async usesShortcut(callbackId: string, message?: SlackMessage): Promise<ActResult> {
    const { world, dispatcher, interactions, settings } = this.#parts();
    if (!settings.shortcuts.has(callbackId)) throw new Error(`there is no shortcut ${callbackId}`);
    const common = {
      callback_id: callbackId,
      trigger_id: interactions.newTrigger({ userId: this.id, teamId: this.user.teamId }),
      team: this.#team(),
      token: settings.verificationToken,
      action_ts: world.ts(),
      is_enterprise_install: false,
    };
    if (!message) {
      const payload: GlobalShortcut = {
        ...common,
        type: "shortcut",
        user: { id: this.id, username: this.name, team_id: this.user.teamId },
      };
      return await this.#awaitAct(dispatcher.send("interactive", { ...payload }));
    }
    const channel = world.channel(message.channelId);
    const payload: MessageShortcut = {
      ...common,
      type: "message_action",
      user: { id: this.id, name: this.name, team_id: this.user.teamId },
      channel: { id: channel.id, name: channelNameFor(channel) },
      message_ts: message.ts,
      message: { ...messagePayload(world, message), type: "message", ts: message.ts },
      response_url: interactions.newResponseUrl({
        channelId: channel.id,
        userId: this.id,
        originalTs: undefined,
        isEphemeral: true,
      }),
    };
    return await this.#awaitAct(dispatcher.send("interactive", { ...payload }));
  }

  /** Presses Slack's own stop button while the thread is at work. */
  pressesStop(channel: SlackChannel, threadTs: string): void {
    const { world, feed, settings } = this.#parts();
    if (world.session(channel.id, threadTs)?.status !== "processing") {
      throw new Error("there is no stop button: the thread is not at work");
    }
    const live = world
      .thread(channel.id, threadTs)
      .filter((message) => currentState(message, { world, settings }) === "live");
    for (const message of live) {
      if (message.stream) message.stream.state = "stopped-by-user";
    }
    feed.sessionStopped({
      channel,
      userId: this.id,
      threadTs,
      streams: live.map(({ ts }) => ts),
    });
  }

  /** Gives the session of a thread another title. */
  renamesSession(channel: SlackChannel, threadTs: string, title: string): void {
    const { world, feed } = this.#parts();
    const session =
      world.session(channel.id, threadTs) ??
      setSession(world, { channelId: channel.id, threadTs, status: "active" });
    const previousTitle = session.title;
    session.title = title;
    feed.sessionRenamed({ channel, userId: this.id, threadTs, title, previousTitle });
  }

  opensHome(): void {
    const { world, feed } = this.#parts();
    const view = world.homes.get(`${this.user.teamId} ${this.id}`);
    feed.homeOpened(this.directChannel(), { userId: this.id, tab: "home", view });
  }

  opensMessages(): void {
    this.#parts().feed.homeOpened(this.directChannel(), {
      userId: this.id,
      tab: "messages",
      view: undefined,
    });
  }

  /** Has the app open beside this channel. */
  looksAt(channel: SlackChannel): void {
    this.#parts().feed.contextChanged(this.directChannel(), this.id, channel);
  }

  /** Brings the bot into a channel. */
  invitesBot(channel: SlackChannel): void {
    const { feed } = this.#parts();
    const { botUserId } = this.#installation();
    channel.members.add(botUserId);
    feed.joined(channel, botUserId, this.id);
  }

  /**
   * Installs the app into their workspace with a browser, from the app's own install page to the
   * last one it shows. Cookies are kept; the consent page is agreed to.
   */
  async installs(installUrl: string): Promise<{ readonly status: number; readonly body: string }> {
    const { world } = this.#parts();
    const cookies = new Map<string, string>();
    const appOrigin = new URL(installUrl).origin;
    let url = new URL(installUrl);
    for (let hop = 0; hop < 10; hop += 1) {
      const isSlack = url.origin === world.origin;
      if (isSlack) url.searchParams.set("as", this.id);
      // The app may be published under another address than the one it listens on here.
      else url = new URL(url.pathname + url.search, appOrigin);
      const response = await fetch(url, {
        redirect: "manual",
        headers: isSlack
          ? {}
          : { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [name = "", value = ""] = cookie.split(";")[0]?.split("=") ?? [];
        cookies.set(name, value);
      }
      const location = response.headers.get("location");
      if (!location) return { status: response.status, body: await response.text() };
      url = new URL(location, url);
    }
    throw new Error("the installation goes in circles");
  }

  /** Takes the app out of the workspace: its token dies at once, and it is told. */
  uninstalls(): void {
    const { world, feed } = this.#parts();
    const installation = this.#installation();
    feed.forInstallation(installation, {
      type: "tokens_revoked",
      tokens: { oauth: [], bot: [installation.botUserId] },
    });
    feed.forInstallation(installation, { type: "app_uninstalled" });
    installation.state = "uninstalled";
    world.removeFromChannels(installation.botUserId);
  }

  /** What they see in a channel or one of its threads. */
  sees(channel: SlackChannel, threadTs?: string): readonly SeenMessage[] {
    const { world, settings } = this.#parts();
    return seenMessages(world, { channelId: channel.id, threadTs }, { userId: this.id, settings });
  }

  /** The modal on top; undefined when none is open. */
  get modal(): SeenView | undefined {
    const view = this.#parts().world.modalStacks.get(this.id)?.at(-1);
    return view && seenView(view);
  }

  /** The app's Home tab; undefined until the app has published one. */
  get home(): SeenView | undefined {
    const view = this.#parts().world.homes.get(`${this.user.teamId} ${this.id}`);
    return view && seenView(view);
  }

  #pressInMessage(ts: string, words: string, chosen: string | undefined): Delivery {
    const { world, dispatcher, interactions } = this.#parts();
    const ephemeral = world.ephemerals.find((one) => one.ts === ts && one.userId === this.id);
    const message = [...world.channels.values()]
      .flatMap(({ messages }) => messages)
      .find((one) => one.ts === ts);
    const shown = ephemeral ?? message;
    if (!shown) throw new Error("there is no such message");
    const blocks = message?.stream
      ? [...message.stream.blocks, ...message.stream.finalBlocks]
      : (shown.blocks ?? []);
    const { action } = this.#control(blocks, words, chosen);
    const channel = world.channel(shown.channelId);
    const payload: Omit<BlockAction, "actions"> & { readonly actions: readonly JsonObject[] } = {
      ...this.#actionCommon(),
      actions: [action],
      container: {
        type: "message",
        message_ts: ts,
        channel_id: channel.id,
        is_ephemeral: ephemeral !== undefined,
        ...(shown.threadTs ? { thread_ts: shown.threadTs } : {}),
      },
      channel: { id: channel.id, name: channelNameFor(channel) },
      ...(message
        ? { message: { ...messagePayload(world, message), type: "message" as const, ts } }
        : {}),
      state: { values: {} },
      response_url: interactions.newResponseUrl({
        channelId: channel.id,
        userId: this.id,
        originalTs: ts,
        isEphemeral: ephemeral !== undefined,
      }),
    };
    return dispatcher.send("interactive", { ...payload });
  }

  #pressInView(where: "home" | "modal", words: string, chosen: string | undefined): Delivery {
    const { world, dispatcher } = this.#parts();
    const view =
      where === "modal" ? this.#topView() : world.homes.get(`${this.user.teamId} ${this.id}`);
    if (!view) throw new Error("the app has published no Home tab");
    const blocks = objectsAt(view.content, "blocks");
    const { action } = this.#control(blocks, words, chosen);
    const payload = {
      ...this.#actionCommon(view.id),
      actions: [action],
      container: { type: "view", view_id: view.id },
      view: this.#viewOutput(view, {}),
    };
    return dispatcher.send("interactive", payload);
  }

  #actionCommon(viewId?: string) {
    const { world, interactions, settings } = this.#parts();
    return {
      type: "block_actions" as const,
      user: { id: this.id, username: this.name, name: this.name, team_id: this.user.teamId },
      api_app_id: world.appId,
      token: settings.verificationToken,
      trigger_id: interactions.newTrigger({
        userId: this.id,
        teamId: this.user.teamId,
        ...(viewId === undefined ? {} : { viewId }),
      }),
      team: this.#team(),
      is_enterprise_install: false,
    };
  }

  #control(blocks: readonly JsonObject[], words: string, chosen: string | undefined) {
    const nowMs = this.#parts().world.clock.now();
    const found = findControl(blocks, words, {
      nowMs,
      ...(chosen === undefined ? {} : { chosen }),
    });
    if (!found) throw new Error(`there is nothing called "${words}" to press`);
    return found;
  }

  #viewOutput(view: SlackView, values: ViewOutput["state"]["values"] | JsonObject): ViewOutput {
    const payload = { ...this.#parts().world.viewPayload(view), state: { values } };
    // The world keeps views as the app sent them; this is the one place that names their shape.
    return payload as unknown as ViewOutput;
  }

  #afterSubmit(view: SlackView, delivery: Delivery): SubmitResult["status"] {
    const { world } = this.#parts();
    if (delivery.state === "failed") return "failed";
    const answer = answerOf(delivery);
    const stack = world.modalStacks.get(this.id) ?? [];
    const action = isObject(answer) ? textAt(answer, "response_action") : undefined;
    switch (action) {
      case "errors":
        return this.#showErrors(view, objectAt(answer, "errors"));
      case "update":
        this.#checkView(objectAt(answer, "view"));
        changeView(world, view, objectAt(answer, "view"));
        return "updated";
      case "push":
        this.#checkView(objectAt(answer, "view"));
        pushView(world, this.id, objectAt(answer, "view"));
        return "pushed";
      case "clear":
        world.modalStacks.set(this.id, []);
        return "cleared";
      case undefined:
        world.modalStacks.set(
          this.id,
          view.content.clear_on_close === true ? [] : stack.filter((one) => one !== view),
        );
        return "closed";
      default:
        throw new Error(`unknown response_action ${action}`);
    }
  }

  #showErrors(view: SlackView, errors: JsonObject): "errors" {
    const ids = new Set(
      objectsAt(view.content, "blocks")
        .filter(({ type }) => type === "input")
        .map((block) => textAt(block, "block_id")),
    );
    const unknown = Object.keys(errors).filter((id) => !ids.has(id));
    if (unknown.length > 0) throw new Error(`errors name no input block: ${unknown.join(", ")}`);
    view.errors = Object.fromEntries(
      Object.entries(errors).map(([id, text]) => [id, String(text)]),
    );
    return "errors";
  }

  #checkView(view: JsonObject): void {
    const faults = faultsOfView(view, "modal");
    if (faults.length > 0) throw new Error(`the view is refused: ${faults.join("; ")}`);
  }

  #topView(): SlackView {
    const view = this.#parts().world.modalStacks.get(this.id)?.at(-1);
    if (!view) throw new Error(`${this.name} has no modal open`);
    return view;
  }

  async #awaitAct(sent: Delivery): Promise<ActResult> {
    const delivery = await sent.finished;
    return { delivery, status: delivery.state === "acknowledged" ? "acknowledged" : "failed" };
  }

  /** Slackbot's own words when a command was not answered in time. */
  async #tellFailure(delivery: Delivery, channel: SlackChannel): Promise<ActResult> {
    const result = await this.#awaitAct(delivery);
    if (result.status === "acknowledged") return result;
    const { world } = this.#parts();
    world.ephemerals.push({
      ts: world.ts(),
      channelId: channel.id,
      userId: this.id,
      threadTs: undefined,
      text: `${textAt(delivery.payload, "command") ?? ""} failed because the app did not respond`,
      form: "mrkdwn",
      blocks: undefined,
    });
    return result;
  }

  #team(): { id: string; domain: string } {
    const team = this.#parts().world.team(this.user.teamId);
    return { id: team.id, domain: team.domain };
  }

  #installation(): Installation {
    const { world } = this.#parts();
    const own = world.installations.get(this.user.teamId);
    const installation = own ?? [...world.installations.values()][0];
    if (!installation) throw new Error("the app is not installed");
    return installation;
  }

  #subtypeOf({ broadcast, files = [] }: PostOptions): string | undefined {
    if (this.user.isBot) return "bot_message";
    if (broadcast) return "thread_broadcast";
    return files.length > 0 ? "file_share" : undefined;
  }

  #message({ channelId, ts }: Pick<SlackMessage, "ts" | "channelId">): SlackMessage {
    const found = this.#parts().world.message(channelId, ts);
    if (!found) throw new Error("there is no such message");
    return found;
  }

  #mustOwn(message: SlackMessage): void {
    if (message.userId !== this.id) throw new Error(`${this.name} did not write that message`);
  }

  #drop(file: DroppedFile): SlackFile {
    const bytes =
      typeof file.bytes === "string" ? new TextEncoder().encode(file.bytes) : file.bytes;
    return this.#parts().world.addFile({
      teamId: this.user.teamId,
      userId: this.id,
      name: file.name,
      bytes,
      ...(file.mimeType === undefined ? {} : { mimeType: file.mimeType }),
      ...(file.mode === undefined ? {} : { mode: file.mode }),
      ...(file.needsFileInfo === undefined ? {} : { needsFileInfo: file.needsFileInfo }),
      ...(file.download === undefined ? {} : { download: file.download }),
    });
  }
}

function answerOf(delivery: Delivery): unknown {
  const result = delivery.attempts.at(-1)?.result;
  return result?.type === "acknowledged" ? result.answer : undefined;
}

function channelNameFor(channel: SlackChannel): string {
  return channel.type === "group" ? "privategroup" : channel.name;
}
