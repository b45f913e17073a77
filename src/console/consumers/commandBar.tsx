import type { Consumer } from '../../schema/consumer.ts';
import { ActButton } from '../act.tsx';
import { TITLES, verbsOf, type Verb } from './commands.ts';
import type { Commands } from './useCommands.tsx';

/** The commands pause, resume, retry and seek, without the one that is offered beside the reason for it. */
export function CommandBar(props: {
  consumer: Consumer;
  commands: Commands;
  /** Offered elsewhere. */
  without: Verb | null;
}) {
  const { consumer, commands, without } = props;
  return (
    <>
      {verbsOf(consumer)
        .filter((verb) => verb !== without)
        .map((verb) => (
          <ActButton
            key={verb}
            needs="manage"
            kind={verb === 'resume' ? 'main' : 'plain'}
            onClick={() => commands.ask(verb)}
          >
            {TITLES[verb]}
          </ActButton>
        ))}
      <ActButton needs="manage" onClick={() => commands.ask('seek')}>
        Seek
      </ActButton>
    </>
  );
}
